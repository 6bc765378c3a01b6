"""The files of a shrunk run besides its model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hotrow.config import to_mapping
from hotrow.data.dataset import Dataset
from hotrow.errors import ConfigError, OutputExistsError
from hotrow.files import write_json
from hotrow.models import ModelConfig
from hotrow.shrink.report import ShrinkReport
from hotrow.train import RunFolder

SHRINK_FILE = "shrink.json"


def require_room(source: Path, model: Path, dataset: Path, out: Path, *, overwrite: bool) -> None:
    """Check that ``out`` may be written without harm to what it is made from.

    Args:
        source: the run, or the model folder of one.
        model: its model folder.
        dataset: the data set that both are judged on.
        out: the run to be written.
        overwrite: whether a run may be replaced.

    Raises:
        ConfigError: ``out`` holds one of the others, or is within one.
        OutputExistsError: with ``overwrite``, something is there that is no run.
    """
    there = out.resolve()
    kept = [source, model, dataset]
    if RunFolder(model.parent).is_run:
        kept.append(model.parent)
    for folder in kept:
        here = folder.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise ConfigError("--out", str(out), f"a folder apart from {folder}")
    ours = RunFolder(out).is_run or (out / SHRINK_FILE).is_file()
    if overwrite and out.is_dir() and any(out.iterdir()) and not ours:
        raise OutputExistsError(out, "it is not a run, so it is never overwritten; choose another folder")


def write_run_files(
    folder: Path,
    source: Path,
    *,
    dataset: Dataset,
    config: ModelConfig,
    report: ShrinkReport,
    command: Sequence[str],
) -> None:
    """Write what makes ``folder`` a run like its source, and ``shrink.json``.

    A source that is a model without its run leaves only ``shrink.json``.

    Args:
        folder: of the new run.
        source: the run that was shrunk.
        dataset: that it was judged on.
        config: the shrunk model's configuration.
        report: what came out.
        command: kept in ``config.json``.
    """
    old, new = RunFolder(source), RunFolder(folder)
    if old.is_run:
        content = old.read_config()
        content["model"] = {**_mapping(content, "model"), "config": to_mapping(config)}
        if _mapping(content, "dataset").get("fingerprint") == dataset.fingerprint():
            content["dataset"] = {**content["dataset"], "path": str(dataset.path.absolute())}
        content["shrunk_from"] = {
            "run": str(source.absolute()),
            "command": content.get("command"),
            "networks": report.networks,
        }
        write_json(new.config, {**content, "command": list(command)})
        if old.metrics.is_file():
            shutil.copyfile(old.metrics, new.metrics)
        if old.is_finished:
            validation = None if report.validation is None else report.validation.after
            result = replace(old.read_report(), test=report.test.after, validation=validation, run=report.run)
            write_json(new.result, result.to_mapping())
    write_json(folder / SHRINK_FILE, report.to_mapping())


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, Mapping) else {}
