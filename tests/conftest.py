"""Fixtures shared by several folders."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, settings

from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.shards import write_shard
from hotrow.files import write_json

WriteDataset = Callable[..., Path]


def pytest_configure() -> None:
    """Time no examples; interpret Triton's kernels where there is no GPU; hear Ctrl-C in any case.

    The shell that starts the tests may ignore Ctrl-C, as for a job behind ``&``.
    """
    # How fast a machine is, or how busy, is no property of what is tested.
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
    # Triton reads this when it is imported, by whichever test comes first.
    if not torch.cuda.is_available():
        os.environ.setdefault("TRITON_INTERPRET", "1")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def small_schema(*, dense: int = 3, rows: tuple[int, ...] = (40, 12, 60, 5)) -> Schema:
    return Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{i + 1}") for i in range(dense)),
        categorical=tuple(CategoricalFeature(name=f"C{i + 1}", rows=size) for i, size in enumerate(rows)),
    )


def random_rows(schema: Schema, count: int, rng: np.random.Generator) -> EncodedBlock:
    """Return rows whose first label depends on the first dense and the first categorical feature."""
    dense = rng.normal(size=(count, len(schema.dense))).astype(np.float32)
    ids = np.stack([rng.integers(0, size, count) for size in schema.rows], axis=1).astype(np.int32)
    logit = dense[:, :1].sum(axis=1) + np.where(ids[:, 0] % 2 == 0, 1.0, -1.0) - 0.5
    tasks = len(schema.labels)
    labels = (rng.random((count, tasks)) < 1 / (1 + np.exp(-logit[:, None]))).astype(np.float32)
    return EncodedBlock(
        dense=dense,
        ids=ids,
        labels=labels if tasks > 1 else labels[:, 0].copy(),
        lists=tuple(random_list(feature, count, rng) for feature in schema.lists),
        groups=rng.integers(0, 20, count) if schema.group else None,
    )


def random_list(feature: ListFeature, count: int, rng: np.random.Generator) -> EncodedList:
    """Return slices of 0 to 7 ids of one array; every second row's overlaps with the one before."""
    lengths = rng.integers(0, 8, count).astype(np.int32)
    starts = (np.arange(count, dtype=np.int32) // 2) * 8
    ids = rng.integers(0, feature.rows, 4 * count + 16).astype(np.int32)
    weights = rng.random(len(ids)).astype(np.float32) if feature.weighted else None
    return EncodedList(ids, starts, lengths, weights)


def write_vocabulary(path: Path, rows: int) -> None:
    """Write a vocabulary whose key k is row k."""
    keys = np.arange(RESERVED_IDS, rows, dtype=np.uint64)
    batch = pa.record_batch({"key": pa.array(keys), "count": pa.array(np.full(keys.size, 9, np.int64))})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep tiny matrix products from waiting for each other when tests run side by side."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def write_dataset() -> WriteDataset:
    """Return a function that writes a prepared data set in the documented format."""

    def write(
        folder: Path,
        *,
        schema: Schema | None = None,
        splits: Mapping[str, tuple[int, ...]] | None = None,
        seed: int = 0,
    ) -> Path:
        schema = schema or small_schema()
        rng = np.random.default_rng(seed)
        folder.mkdir(parents=True)
        (folder / "vocab").mkdir()
        rows = {feature.name: feature.rows for feature in schema.categorical}
        rows |= {feature.name: feature.rows for feature in schema.lists if not feature.of}
        for name, size in rows.items():
            write_vocabulary(folder / "vocab" / f"{name}.arrow", size)
        content: dict[str, Any] = {}
        for split, sizes in (splits or {"train": (500, 300), "valid": (150,), "test": (150,)}).items():
            (folder / split).mkdir()
            shards, positives = [], 0
            for index, count in enumerate(sizes):
                name = f"{split}/{index:05d}.arrow"
                block = random_rows(schema, count, rng)
                assert block.labels is not None
                write_shard(folder / name, block, schema)
                shards.append({"file": name, "rows": count})
                positives += int((block.labels[:, 0] if block.labels.ndim > 1 else block.labels).sum())
            content[split] = {"rows": sum(sizes), "positives": positives, "shards": shards}
        write_json(
            folder / "schema.json",
            {"format_version": 1, "schema": schema.to_mapping(), "splits": content},
        )
        return folder

    return write


def criteo_schema() -> Schema:
    """Return a schema of all Criteo columns with small tables: key k of a feature is row k."""
    return Schema(
        format="criteo",
        label="label",
        dense=tuple(DenseFeature(name=f"I{number}") for number in range(1, 14)),
        categorical=tuple(CategoricalFeature(name=f"C{number}", rows=7 + number) for number in range(1, 27)),
    )


@pytest.fixture(scope="session")
def criteo_columns() -> Schema:
    """Return the schema of ``criteo_run``, for data sets with all Criteo columns."""
    return criteo_schema()


@pytest.fixture(scope="session")
def criteo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder whose ``model/`` is an untrained DLRM for Criteo's columns; leave it as it is."""
    from hotrow.artifact import save_artifact
    from hotrow.embedding import EmbeddingTables
    from hotrow.models import build_model, preset

    folder = tmp_path_factory.mktemp("criteo")
    schema = criteo_schema()
    (folder / "vocab").mkdir()
    for feature in schema.categorical:
        write_vocabulary(folder / "vocab" / f"{feature.name}.arrow", feature.rows)
    config = preset("dlrm-small", schema.inputs())
    save_artifact(
        folder / "run" / "model",
        model=build_model("dlrm", config, EmbeddingTables(config.tables, optimizer=None, seed=3), seed=3),
        model_name="dlrm",
        model_config=config,
        schema=schema,
        vocab_folder=folder / "vocab",
        metrics={"auc": 0.5, "ne": float("nan")},
    )
    return folder / "run"


@pytest.fixture(scope="session")
def movielens_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose ``model/`` is an untrained DCN-v2 for MovieLens with histories and genres."""
    from hotrow.artifact import save_artifact
    from hotrow.data.dataset import Dataset
    from hotrow.data.prepare import prepare
    from hotrow.data.vocabulary import VOCABULARY_FOLDER
    from hotrow.embedding import EmbeddingTables
    from hotrow.models import build_model, preset

    folder = tmp_path_factory.mktemp("movielens")
    rng = np.random.default_rng(0)
    ratings = [
        f"{rng.integers(1, 9)}::{rng.integers(1, 30)}::{rng.integers(1, 6)}::{time}" for time in range(300)
    ]
    (folder / "ratings.dat").write_text("\n".join(ratings) + "\n")
    (folder / "users.dat").write_text("".join(f"{user}::F::{user}::1::0\n" for user in range(1, 9)))
    movies = (f"{item}::A ({1980 + item})::{'Drama|War'[: 5 + item % 5]}\n" for item in range(1, 30))
    (folder / "movies.dat").write_text("".join(movies))
    prepare("movielens", [folder], folder / "data", settings={"history": "10"})
    schema = Dataset.open(folder / "data").schema
    config = preset("dcnv2-small", schema.inputs())
    save_artifact(
        folder / "run" / "model",
        model=build_model("dcnv2", config, EmbeddingTables(config.tables, optimizer=None, seed=3), seed=3),
        model_name="dcnv2",
        model_config=config,
        schema=schema,
        vocab_folder=folder / "data" / VOCABULARY_FOLDER,
        metrics={},
    )
    return folder / "run"


@pytest.fixture
def criteo_rows() -> Callable[..., list[str]]:
    """Return a function that makes lines of a Criteo log, values missing and unseen ids included."""

    def make(count: int, *, labelled: bool = False, seed: int = 0) -> list[str]:
        rng = np.random.default_rng(seed)
        lines = []
        for _ in range(count):
            dense = [str(value) if value > -3 else "" for value in rng.integers(-5, 1000, 13)]
            ids = [f"{key:08x}" if key else "" for key in rng.integers(0, 40, 26)]
            label = [str(rng.integers(0, 2))] if labelled else []
            lines.append("\t".join([*label, *dense, *ids]))
        return lines

    return make
