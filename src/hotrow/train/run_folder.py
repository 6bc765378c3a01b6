"""The folder of a run: what is where, who may write, and what must agree to go on."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from hotrow.config import from_mapping, to_mapping
from hotrow.data.dataset import SCHEMA_FILE, SPLITS, Dataset
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, DataError, MissingFileError, OutputExistsError, UserError
from hotrow.files import atomic_file, read_json, storage_errors, write_json
from hotrow.train.origin import Origin
from hotrow.train.recipe import Recipe
from hotrow.train.report import TrainReport
from hotrow.version import hotrow_version

FORMAT_VERSION = 1

_CONFIG = "config.json"
_ORIGIN = "started_from"
_LIBRARIES = ("torch", "numpy", "pyarrow")


class RunFolder:
    """A run on disk.

    Args:
        path: its folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / _CONFIG
        self.metrics = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model"
        self.result = self.path / "result.json"
        self.diverged = self.path / "diverged"

    @property
    def is_run(self) -> bool:
        """Whether a run was started here."""
        return self.config.is_file()

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return self.result.is_file()

    def read_report(self) -> TrainReport:
        """Return the report of a finished run.

        Raises:
            UserError: ``result.json`` is missing or cannot be used.
        """
        try:
            content = read_json(self.result, expected="the result of a finished run")
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(self.result, f"not JSON ({error})") from error
        return replace(from_mapping(TrainReport, content, where=str(self.result)), run=str(self.path))

    def read_config(self) -> dict[str, Any]:
        """Return ``config.json``.

        Raises:
            MissingFileError: no run was started here.
            DataError: it cannot be used.
        """
        try:
            content = read_json(self.config, expected="a run (made by `hotrow train`)")
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(self.config, f"not JSON ({error})") from error
        if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
            raise DataError(self.config, f"expected a run's configuration, format_version {FORMAT_VERSION}")
        return content

    def read_recipe(self) -> Recipe:
        """Return the recipe of the run.

        Raises:
            MissingFileError: no run was started here.
            UserError: ``config.json`` cannot be used.
        """
        return Recipe.from_mapping(self.read_config(), where=str(self.config))

    def read_origin(self) -> Origin | None:
        """Return where the run's first weights came from; None: they were drawn.

        Raises:
            UserError: ``config.json`` cannot be used.
        """
        stored = self.read_config().get(_ORIGIN)
        return None if stored is None else from_mapping(Origin, stored, where=f"{self.config}: {_ORIGIN}")

    def start(
        self,
        recipe: Recipe,
        dataset: Dataset,
        *,
        command: Sequence[str],
        overwrite: bool,
        origin: Origin | None = None,
    ) -> None:
        """Make the folder and write ``config.json``.

        Raises:
            OutputExistsError: something is there; with ``overwrite``, something that is not a run.
            StorageError: the disk is full or refuses to be written.
        """
        self._make_room(overwrite=overwrite)
        content = {
            "format_version": FORMAT_VERSION,
            **recipe.to_mapping(),
            "dataset": {
                "path": str(dataset.path.absolute()),
                "fingerprint": dataset.fingerprint(),
                "schema_fingerprint": dataset.schema.fingerprint(),
                "schema": dataset.schema.to_mapping(),
                "rows": {split: dataset.rows(split) for split in SPLITS},
            },
            **({} if origin is None else {_ORIGIN: to_mapping(origin)}),
            "environment": environment(),
            "command": list(command),
        }
        with atomic_file(self.config) as partial:
            write_json(partial, content)

    def require_same(self, recipe: Recipe, dataset: Dataset) -> None:
        """Check that a run is resumed with what it was started with.

        Raises:
            SchemaMismatchError: the data set has other features; names the first difference.
            ConfigError: another recipe, or other rows; names the first difference.
        """
        self._require_same_data(dataset)
        difference = first_difference(self.read_recipe().to_mapping(), recipe.to_mapping(), "")
        if difference is not None:
            field, old, new = difference
            raise ConfigError(field, new, f"{old!r}, {self._remedy}")

    def _require_same_data(self, dataset: Dataset) -> None:
        stored = self.read_config().get("dataset", {})
        before, now = stored.get("fingerprint"), dataset.fingerprint()
        if before == now:
            return
        if "schema" in stored:
            schema = Schema.from_mapping(stored["schema"], where=f"{self.config}: dataset.schema")
            schema.require_same(dataset.schema, this=str(self.config), that=str(dataset.path / SCHEMA_FILE))
        for split in SPLITS:
            old, new = stored.get("rows", {}).get(split), dataset.rows(split)
            if old is not None and old != new:
                raise ConfigError(f"dataset.rows.{split}", new, f"{old}, {self._remedy}")
        raise ConfigError(
            "dataset.fingerprint", now, f"{before!r} (as many rows of the same features), {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        return f"with which {self.path} was started; to change it, start another run"

    def environment_changes(self) -> list[str]:
        """Return what of the machine and the libraries differs from when the run was started."""
        before, now = self.read_config().get("environment", {}), environment()
        return [f"{key} {before.get(key)} -> {now[key]}" for key in now if before.get(key) != now[key]]

    @contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Keep other processes from writing to this run while the block runs.

        Raises:
            UserError: another process is training here.
        """
        descriptor = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UserError(
                f"{self.path}: another process is training this run; wait for it or stop it"
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)

    def _make_room(self, *, overwrite: bool) -> None:
        if self.is_run:
            if not overwrite:
                raise OutputExistsError(
                    self.path, "pass --resume to go on with it, or --overwrite to start again"
                )
            self.read_config()  # another tool's config.json does not make its folder ours to empty
            with storage_errors(self.path), self.sole_writer():
                self._empty()
        elif self.path.is_file() or (self.path.is_dir() and any(self.path.glob("[!.]*"))):
            raise OutputExistsError(
                self.path, "it is not a run, so it is never overwritten; choose another folder"
            )
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def _empty(self) -> None:
        """Remove all but config.json, by which the folder is known as a run should this be killed."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != self.config:
                entry.unlink()

    def find_dataset(self, option: str = "DATASET") -> Path:
        """Return the data set the run was trained on.

        Args:
            option: what the user may give instead, named in messages.

        Raises:
            MissingFileError: it is not where it was.
        """
        if not self.is_run:
            raise MissingFileError(
                self.config, f"a run, which knows its data set; give the data set's folder as {option}"
            )
        path = Path(str(self.read_config().get("dataset", {}).get("path", "")))
        if not path.is_dir():
            raise MissingFileError(
                path, f"the data set of {self.path}; give the data set's folder as {option}"
            )
        return path


def environment() -> dict[str, Any]:
    """Return what of the machine may change the last bits of a result."""
    return {
        "hotrow": hotrow_version(),
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def first_difference(old: Any, new: Any, field: str) -> tuple[str, object, object] | None:
    """Return the first field in which two mappings differ, with both values; None where they are the same."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            found = first_difference(old.get(key), new.get(key), f"{field}.{key}" if field else str(key))
            if found is not None:
                return found
        return None
    return None if old == new else (field, old, new)
