"""One checkpoint: a folder with all that a run needs to go on as though it had never stopped.

``tables.safetensors`` (weights and optimizer state by table), ``dense.safetensors`` (networks),
``optimizer.safetensors`` (theirs), ``random.safetensors``, ``window.safetensors``, ``state.json``
(position, history, length of metrics.jsonl), and ``checksums.json`` over all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hotrow.config import from_mapping, to_mapping
from hotrow.errors import CheckpointError, ConfigError, UserError
from hotrow.files import atomic_folder, read_json, sha256_file, write_json
from hotrow.models import RankingModel
from hotrow.train._random import load_random_tensors, random_tensors
from hotrow.train._tensors import read_tensors, write_tensors
from hotrow.train.loop import Learner
from hotrow.train.optimizers import load_optimizer_tensors, optimizer_tensors
from hotrow.train.progress import RunProgress

FORMAT_VERSION = 2

CHECKSUMS = "checksums.json"
_STATE = "state.json"
EMBEDDINGS = "embeddings."
_REMEDY = "it was cut short or altered"


def write_checkpoint(folder: Path, learner: Learner, notes: Mapping[str, Any]) -> None:
    """Write a checkpoint; ``folder`` is complete or as it was.

    Args:
        folder: replaced when it is there.
        learner: what is saved.
        notes: plain JSON types to be found again by :func:`read_notes`.

    Raises:
        StorageError: the disk is full or refuses to be written.
    """
    with atomic_folder(folder, overwrite=True) as partial:
        weights = learner.model.state_dict()
        tables = {name: tensor for name, tensor in weights.items() if name.startswith(EMBEDDINGS)}
        dense = {name: tensor for name, tensor in weights.items() if not name.startswith(EMBEDDINGS)}
        write_tensors(partial / "tables.safetensors", tables)
        write_tensors(partial / "dense.safetensors", dense)
        optimizer = optimizer_tensors(learner.optimizer, learner.model.dense_parameters())
        write_tensors(partial / "optimizer.safetensors", optimizer)
        write_tensors(partial / "random.safetensors", random_tensors())
        write_tensors(partial / "window.safetensors", learner.window.tensors())
        state = {"format_version": FORMAT_VERSION, "progress": to_mapping(learner.progress), "notes": notes}
        write_json(partial / _STATE, state)
        entries = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
            for path in sorted(partial.iterdir())
        }
        write_json(partial / CHECKSUMS, entries)


def verify_checkpoint(folder: Path) -> None:
    """Check that every file is there, whole and unaltered.

    Raises:
        CheckpointError: names the first file that is not.
    """
    entries = _read(folder / CHECKSUMS)
    for name in sorted({_STATE, "tables.safetensors", "dense.safetensors"} - entries.keys()):
        raise CheckpointError(f"{folder / CHECKSUMS}: no entry for {name}; {_REMEDY}")
    for name, entry in entries.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{path}: missing; {_REMEDY}")
        if not isinstance(entry, dict) or path.stat().st_size != entry.get("bytes"):
            raise CheckpointError(
                f"{path}: {path.stat().st_size} bytes, its checksum says another; {_REMEDY}"
            )
        if sha256_file(path) != entry.get("sha256"):
            raise CheckpointError(f"{path}: its content does not match its checksum; {_REMEDY}")


def read_checkpoint(folder: Path, learner: Learner) -> None:
    """Put a learner, and the random states, back to where the checkpoint was written.

    Raises:
        CheckpointError: the checkpoint is not intact, or of another model.
    """
    progress = _read_progress(folder)
    load_weights(folder, learner.model)
    try:
        tensors = read_tensors(folder / "optimizer.safetensors")
        load_optimizer_tensors(learner.optimizer, learner.model.dense_parameters(), tensors)
        learner.window.load(read_tensors(folder / "window.safetensors"))
        load_random_tensors(read_tensors(folder / "random.safetensors"))
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder}: does not fit this model ({error})") from error
    learner.progress = progress


def load_weights(folder: Path, model: RankingModel) -> None:
    """Fill a model, tables included, with a checkpoint's weights.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another model.
    """
    _load_part(folder / "tables.safetensors", model, tables=True)
    load_networks(folder, model)


def load_networks(folder: Path, model: RankingModel) -> None:
    """Fill a model's networks alone.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another model.
    """
    _load_part(folder / "dense.safetensors", model, tables=False)


def _load_part(file: Path, model: RankingModel, *, tables: bool) -> None:
    tensors = read_tensors(file)
    expected = {key for key in model.state_dict() if key.startswith(EMBEDDINGS) == tables}
    for key in sorted(expected.symmetric_difference(tensors)):
        place = "missing" if key in expected else "not of this model"
        raise CheckpointError(f"{file}: tensor {key} is {place}")
    try:
        with torch.no_grad():
            model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f"{file}: does not fit this model ({error})") from error


def read_notes(folder: Path) -> Mapping[str, Any]:
    """Return the notes that were written with a checkpoint.

    Raises:
        CheckpointError: they cannot be read.
    """
    notes: Mapping[str, Any] = _read(folder / _STATE).get("notes", {})
    return notes


def _read_progress(folder: Path) -> RunProgress:
    state = _read(folder / _STATE)
    if state.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{folder / _STATE}: format_version {state.get('format_version')!r}, "
            f"this version of hotrow reads {FORMAT_VERSION}"
        )
    try:
        return from_mapping(RunProgress, state.get("progress", {}), where=f"{folder / _STATE}: progress")
    except ConfigError as error:
        raise CheckpointError(str(error)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path, expected="a file of a checkpoint")
    except (UserError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: not readable ({error}); {_REMEDY}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object; {_REMEDY}")
    return content
