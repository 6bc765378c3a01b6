from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hotrow.errors import DataError, MissingFileError
from hotrow.report import write_report
from hotrow.report.page import render
from hotrow.report.run import read_run

WriteRun = Callable[..., Path]
VOID = {"meta", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects texts and attributes."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.elements if name == tag)


def show(run: Path) -> Page:
    return Page(render(read_run(run)))


def test_a_finished_run_is_told_in_full(write_run: WriteRun) -> None:
    page = show(write_run())
    for text in (
        "Run run",
        "dlrm-small (dlrm)",
        "2,000 samples in 28 s",
        "1,234 samples/s",
        "of step 150 of 200",
        "2.0 KiB",
        "the data set is no longer there",
        "0.76543 ± 0.00002",
        "0.45000",
        "undefined",
        "hotrow train 'my data' --out run",
        "2.13.0",
    ):
        assert text in page.texts, text
    assert page.count("svg") == 3
    assert page.texts.count("exported") == 3


def test_rows_of_a_data_set_that_is_there(write_run: WriteRun, write_dataset: Any, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    page = show(write_run(config={"dataset": {"path": str(data)}}))
    assert "train 800, valid 150, test 150" in page.texts


def test_the_page_is_self_contained(write_run: WriteRun, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    write_report(write_run(), out)
    content = out.read_text(encoding="utf-8")
    page = Page(content)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key in ("src", "href")]
    assert "url(" not in content
    assert "@import" not in content
    addresses = set(re.findall(r"https?://[^\"' <]+", content.partition("<body>")[2]))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in content
    assert "prefers-color-scheme: dark" in content
    assert "@media print" in content
    assert 'name="viewport"' in content


def test_everything_is_escaped(write_run: WriteRun) -> None:
    evil = "</pre><script>alert('&')</script>"
    config = {
        "environment": {evil: evil},
        "command": ["hotrow", evil],
        "model": {"preset": evil, "name": evil, "config": {evil: evil}},
        "dataset": {"path": evil},
    }
    page = show(write_run("a<b>", config=config))
    assert page.count("script") == page.count("b") == 0
    assert any(evil in text for text in page.texts)
    assert "Run a<b>" in page.texts


def test_a_run_that_goes_on_still(write_run: WriteRun) -> None:
    run = write_run(finished=False)
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "samples": 99')
    page = show(run)
    assert any("not finished" in text for text in page.texts)
    assert page.count("svg") == 3
    assert "Quality of the exported model" not in page.texts


@pytest.mark.parametrize(
    "metrics", [[], [{"kind": "other"}], [{"kind": "train", "samples": None, "loss": "x"}]]
)
def test_a_run_without_measurements(write_run: WriteRun, metrics: list[dict[str, Any]]) -> None:
    page = show(write_run(metrics=metrics))
    assert "Nothing was measured yet." in page.texts
    assert page.count("svg") == 0


def test_a_run_without_its_metrics_file(write_run: WriteRun) -> None:
    run = write_run(finished=False)
    (run / "metrics.jsonl").unlink()
    assert "Nothing was measured yet." in show(run).texts


def test_figures_that_are_none_are_left_out(write_run: WriteRun) -> None:
    lines = [
        {"kind": "train", "samples": 10, "loss": 0.5, "auc": None},
        {"kind": "train", "samples": 20, "loss": float("nan"), "auc": 0.6},
        {"kind": "validation", "samples": 20, "validation": None},
        {"kind": "validation", "samples": 30, "validation": {"log_loss": True, "ne": 0.9}},
    ]
    run = read_run(write_run(metrics=lines))
    assert run.curve("train", "loss") == ((10, 0.5),)
    assert run.curve("train", "auc") == ((20, 0.6),)
    assert run.curve("validation", "validation", "log_loss") == ()
    assert run.curve("validation", "validation", "ne") == ((30, 0.9),)


def test_a_short_last_window_is_not_drawn(write_run: WriteRun) -> None:
    lines = [{"kind": "train", "samples": samples, "loss": 0.5} for samples in (100, 200, 300, 310)]
    page = show(write_run(metrics=lines))
    assert sum(text.startswith("train: 0.5 at") for text in page.texts) == 3


def test_a_configuration_of_another_version(write_run: WriteRun) -> None:
    page = show(write_run(config={"model": {"preset": "skynet"}, "train": [], "command": None}))
    assert "skynet (?)" in page.texts
    assert "parameters" not in page.texts


def test_what_is_no_run_is_told(tmp_path: Path, write_run: WriteRun) -> None:
    with pytest.raises(MissingFileError, match="expected a run"):
        read_run(tmp_path)
    run = write_run()
    (run / "metrics.jsonl").write_text('{"kind": "train"}\nnonsense\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 2: not JSON"):
        read_run(run)
    (run / "metrics.jsonl").write_text(json.dumps([1]) + "\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 1: found list"):
        read_run(run)
