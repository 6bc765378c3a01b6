"""Models, data and settings that do not fit one another: one line says what is missing and what would fit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import small_schema
from tests.train.heads import user_schema

from hotrow.cli.main import main
from hotrow.data.schema import ListFeature, Schema

pytestmark = pytest.mark.usefixtures("one_thread")

WriteDataset = Callable[..., Path]

TWO_LABELS = user_schema()
ONE_LABEL = replace(TWO_LABELS, more_labels=())
BAG = replace(ONE_LABEL, lists=(ListFeature(name="tags", kind="bag", rows=9),))


def _train(
    data: Path,
    out: Path,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Run ``hotrow train``, which must refuse; return the one line it says."""
    monkeypatch.setattr(sys, "argv", ["hotrow", "train", str(data), "--out", str(out), *words])
    with pytest.raises(SystemExit) as caught:
        main()
    output = capsys.readouterr()
    assert (caught.value.code, output.out, output.err.count("\n")) == (2, "", 1)
    assert not out.exists()
    return output.err


@pytest.mark.parametrize(
    ("schema", "words", "message", "fitting"),
    [
        (small_schema(), ("--model", "din-small"), "expected data with a sequence feature", "dlrm-small"),
        (BAG, ("--model", "din-small"), "expected data with a sequence feature", "wide-deep-small"),
        (ONE_LABEL, ("--model", "esmm-small"), "expected data with two labels or more", "deepfm-small"),
        (
            replace(ONE_LABEL, categorical=ONE_LABEL.categorical[:1]),
            ("--model", "ncf-neumf"),
            "expected data with",
            "dlrm-small",
        ),
    ],
)
def test_a_model_that_needs_more_than_there_is(
    tmp_path: Path,
    write_dataset: WriteDataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    schema: Schema,
    words: tuple[str, ...],
    message: str,
    fitting: str,
) -> None:
    data = write_dataset(tmp_path / "data", schema=schema)
    said = _train(data, tmp_path / "run", words, monkeypatch, capsys)
    assert said.startswith(f"error: model: got '{words[1]}', {message}")
    there, _, models = said.partition("models that fit this data: ")
    assert there
    assert fitting in models
    assert words[1] not in models.split(", ")


@pytest.mark.parametrize(
    ("schema", "setting", "message"),
    [
        (
            TWO_LABELS,
            "model.tasks=income",
            "got 'income', expected one or more of the data set's labels click, buy",
        ),
        (
            TWO_LABELS,
            "model.tasks=click,buy",
            "got 'click, buy', expected one label: this model learns no more here",
        ),
        (
            small_schema(),
            "validation.metric=gauc",
            "got 'gauc', expected log_loss or auc: the data set has no column",
        ),
        (
            small_schema(),
            "validation.metric=hr",
            "got 'hr', expected log_loss or auc: the data set has no column",
        ),
    ],
)
def test_a_setting_that_the_data_cannot_serve(
    tmp_path: Path,
    write_dataset: WriteDataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    schema: Schema,
    setting: str,
    message: str,
) -> None:
    data = write_dataset(tmp_path / "data", schema=schema)
    words = ("--model", "dlrm-small", "--set", setting)
    said = _train(data, tmp_path / "run", words, monkeypatch, capsys)
    assert said.startswith(f"error: {setting.partition('=')[0]}: {message}")
