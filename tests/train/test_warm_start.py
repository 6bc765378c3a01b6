"""Runs that start with what another one has learnt, on data with other ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file
from tests.conftest import small_schema
from tests.train.heads import history_schema
from tests.train.runs import PressAt, StopAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.data.vocabulary import Vocabulary
from hotrow.errors import CheckpointError, ConfigError, MissingFileError, SchemaMismatchError, UserError
from hotrow.train import Recipe, RunFolder, change, grown_recipe, make_recipe, train_model
from hotrow.train.origin import IdCounts
from hotrow.train.run import build_learner
from hotrow.train.warm_start import WarmStart, map_rows

WriteDataset = Callable[..., Path]
GROWN = {"C1": 50, "C2": 12, "C3": 40, "C4": 9}
"""Rows of the tables of the grown data set; those of the first are 40, 12, 60 and 5."""


def keys_of(rows: int) -> NDArray[np.uint64]:
    """Return the keys of a grown vocabulary: the old ones (k is row k), in reverse order, and new ones."""
    return np.arange(rows + 1, 3, -1, dtype=np.uint64)


def give_keys(data: Path, keys: dict[str, NDArray[np.uint64]]) -> None:
    for name, values in keys.items():
        Vocabulary(values, np.full(len(values), 9)).save(data / "vocab" / f"{name}.arrow")


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> Path:
    """A finished run."""
    train_model(dataset, recipe, tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def grown(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    """Data of the same features, whose ids have other rows; of each table two ids are gone."""
    data = write_dataset(tmp_path / "grown", schema=small_schema(rows=tuple(GROWN.values())), seed=5)
    give_keys(data, {name: keys_of(rows) for name, rows in GROWN.items()})
    return Dataset.open(data)


@given(old=st.sets(st.integers(0, 60)), new=st.sets(st.integers(0, 60)), seed=st.integers(0, 9))
def test_rows_go_by_id(old: set[int], new: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, now = (rng.permutation(np.array(sorted(keys), dtype=np.uint64)) for keys in (old, new))
    found = map_rows(before, now)
    expected = {0: 0, 1: 1}
    expected |= {
        2 + row: 2 + before.tolist().index(key) for row, key in enumerate(now.tolist()) if key in old
    }
    assert dict(zip(found.new.tolist(), found.old.tolist(), strict=True)) == expected
    assert found.ids == IdCounts(kept=len(old & new), new=len(new - old), gone=len(old - new))


@pytest.mark.parametrize("kind", ["rowwise_adagrad", "adam", "sgd"])
def test_old_ids_keep_weights_and_states_and_new_ones_are_fresh(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, grown: Dataset, kind: str
) -> None:
    train_model(dataset, change(recipe, {"tables.kind": kind}), tmp_path / "old")
    wanted = change(grown_recipe(tmp_path / "old", grown), {"seed": "8"})
    assert [table.rows for table in wanted.model.tables] == list(GROWN.values())
    start = WarmStart(tmp_path / "old", wanted, grown)
    learner, fresh = build_learner(wanted), build_learner(wanted).model.state_dict()
    start.apply(learner)
    step = RunFolder(tmp_path / "old").read_report().best_step
    folder = tmp_path / "old" / "checkpoints" / f"step-{step:09d}"
    tables, dense = load_file(folder / "tables.safetensors"), load_file(folder / "dense.safetensors")
    state = learner.model.state_dict()
    for name, rows in GROWN.items():
        old_rows = len(tables[f"embeddings.tables.{name}.weight"])
        for key in [key for key in tables if key.startswith(f"embeddings.tables.{name}.")]:
            new_row = dict(zip(keys_of(rows).tolist(), range(2, rows), strict=True))
            assert torch.equal(state[key][:2], tables[key][:2]), key
            for id_, row in new_row.items():
                expected = tables[key][id_] if id_ < old_rows else fresh[key][row]
                assert torch.equal(state[key][row], expected), (key, id_)
    for key, tensor in dense.items():
        assert torch.equal(state[key], tensor)
    assert int(state["embeddings.step"]) == int(tables["embeddings.step"]) == step
    assert learner.progress.step == 0
    assert start.origin.ids["C1"] == IdCounts(kept=36, new=12, gone=2)
    assert start.origin.ids["C3"] == IdCounts(kept=38, new=0, gone=20)
    for entry in learner.optimizer.state_dict()["state"].values():
        assert float(entry["step"]) == step


def test_another_optimizer_begins_anew(run: Path, grown: Dataset) -> None:
    wanted = change(grown_recipe(run, grown), {"tables.kind": "adam", "dense.kind": "sgd"})
    start = WarmStart(run, wanted, grown)
    assert (start.origin.tables_state, start.origin.dense_state) == (False, False)
    learner = build_learner(wanted)
    start.apply(learner)
    state = learner.model.state_dict()
    assert int(state["embeddings.step"]) == 0
    assert not state["embeddings.tables.C1.exp_avg"].any()


def test_it_is_told_and_learns_on(
    tmp_path: Path, run: Path, grown: Dataset, dataset: Dataset, recipe: Recipe
) -> None:
    report = train_model(grown, grown_recipe(run, grown), tmp_path / "new", start_from=run)
    assert report.started_from is not None
    assert report.started_from.run == str(run)
    assert report.started_from.ids["C1"] == IdCounts(kept=36, new=12, gone=2)
    assert RunFolder(tmp_path / "new").read_origin() == report.started_from
    assert RunFolder(tmp_path / "new").read_report() == report
    assert RunFolder(run).read_report().started_from is None
    same = train_model(dataset, recipe, tmp_path / "same", start_from=run)
    assert same.started_from is not None
    assert same.started_from.totals() == IdCounts(kept=109, new=0, gone=0)
    first = [
        next(line for line in metrics_lines(tmp_path / name) if line["kind"] == "train")
        for name in ("old", "same")
    ]
    assert first[1]["loss"] < first[0]["loss"]


@pytest.mark.parametrize("step", [1, 7])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, run: Path, grown: Dataset, step: int) -> None:
    wanted = grown_recipe(run, grown)
    train_model(grown, wanted, tmp_path / "whole", start_from=run)
    with pytest.raises(KeyboardInterrupt):
        train_model(grown, wanted, tmp_path / "cut", start_from=run, listener=PressAt(step))
    shutil.move(run, tmp_path / "away")  # its weights are in the checkpoint now
    train_model(grown, wanted, tmp_path / "cut", resume=True)
    for name in ("tables.safetensors", "dense.safetensors"):
        whole, cut = (tmp_path / each / "model" / name for each in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()
    assert metrics_lines(tmp_path / "whole") == metrics_lines(tmp_path / "cut")


def test_a_run_without_a_checkpoint_starts_from_it_again(tmp_path: Path, run: Path, grown: Dataset) -> None:
    wanted = grown_recipe(run, grown)
    train_model(grown, wanted, tmp_path / "whole", start_from=run)
    for name in ("cut", "spoilt"):
        with pytest.raises(RuntimeError, match="stop"):
            train_model(
                grown, wanted, tmp_path / name, start_from=run, listener=StopAt(1, RuntimeError("stop"))
            )
    train_model(grown, wanted, tmp_path / "cut", resume=True)
    tables = [(tmp_path / each / "model" / "tables.safetensors").read_bytes() for each in ("whole", "cut")]
    assert tables[0] == tables[1]
    content = json.loads((tmp_path / "spoilt" / "config.json").read_text())
    content["started_from"]["checkpoint"] = "0" * 64
    (tmp_path / "spoilt" / "config.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"old: has changed since .*spoilt started from it"):
        train_model(grown, wanted, tmp_path / "spoilt", resume=True)


def _refused(run: Path, data: Dataset, out: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        train_model(data, grown_recipe(run, data), out, start_from=run, **options)  # type: ignore[arg-type]
    assert not RunFolder(out).is_run
    return str(caught.value)


def test_other_features_are_named(tmp_path: Path, run: Path, write_dataset: WriteDataset) -> None:
    schema = small_schema()
    others: Sequence[tuple[Schema, str]] = [
        (
            replace(schema, dense=schema.dense[:2]),
            r"features I1, I2, C1, C2, C3, C4, .*old has I1, I2, I3, C1",
        ),
        (
            replace(schema, dense=(replace(schema.dense[0], transform="identity"), *schema.dense[1:])),
            "feature I1: transform 'identity', .*old has 'signed_log1p'",
        ),
        (
            replace(
                schema, categorical=(replace(schema.categorical[0], encoding="hash"), *schema.categorical[1:])
            ),
            "feature C1: encoding 'hash', .*old has 'vocabulary'",
        ),
    ]
    for number, (other, message) in enumerate(others):
        data = Dataset.open(write_dataset(tmp_path / f"other{number}", schema=other))
        with pytest.raises(SchemaMismatchError, match=message):
            grown_recipe(run, data)


def test_hashed_ids_keep_their_rows_or_are_refused(
    tmp_path: Path, write_dataset: WriteDataset, recipe: Recipe
) -> None:
    schemas = [small_schema(rows=(rows, 12, 60, 5)) for rows in (40, 40, 50)]
    datas = []
    for number, schema in enumerate(schemas):
        hashed = replace(schema.categorical[0], encoding="hash")
        schema = replace(schema, categorical=(hashed, *schema.categorical[1:]))
        datas.append(Dataset.open(write_dataset(tmp_path / f"d{number}", schema=schema, seed=number)))
    train_model(datas[0], recipe, tmp_path / "old")
    start = WarmStart(tmp_path / "old", grown_recipe(tmp_path / "old", datas[1]), datas[1])
    assert start.origin.ids["C1"] == IdCounts(kept=38, new=0, gone=0)
    assert "feature C1 has 50 rows" in _refused(tmp_path / "old", datas[2], tmp_path / "new")


def test_histories_and_linear_parts_go_with_their_ids(tmp_path: Path, write_dataset: WriteDataset) -> None:
    old = Dataset.open(write_dataset(tmp_path / "a", schema=history_schema()))
    new = write_dataset(tmp_path / "b", schema=history_schema(45))
    give_keys(new, {"item": keys_of(45)})
    for preset in ("deepfm-small", "din-small"):
        run = tmp_path / preset
        train_model(old, make_recipe(preset, old.schema.inputs(), settings={"batch_size": "200"}), run)
        wanted = grown_recipe(run, Dataset.open(new))
        learner = build_learner(wanted)
        WarmStart(run, wanted, Dataset.open(new)).apply(learner)
        step = RunFolder(run).read_report().best_step
        tables = load_file(run / "checkpoints" / f"step-{step:09d}" / "tables.safetensors")
        state = learner.model.state_dict()
        for key in [key for key in tables if key.endswith("item.weight")]:
            assert torch.equal(state[key][45 + 3 - 10], tables[key][10]), key
        assert train_model(Dataset.open(new), wanted, tmp_path / f"{preset}-on", start_from=run).started_from


def test_what_cannot_be_started_from(tmp_path: Path, run: Path, grown: Dataset, dataset: Dataset) -> None:
    out = tmp_path / "new"
    assert "to be left out with --resume" in _refused(run, grown, out, resume=True)
    with pytest.raises(ConfigError, match="expected a run apart from"):
        train_model(dataset, grown_recipe(run, dataset), run, start_from=run, overwrite=True)
    assert RunFolder(run).is_finished
    wider = change(grown_recipe(run, grown), {"model.width": "8"})
    with pytest.raises(ConfigError, match=r"model\.(bottom|tables\.C1): got .*, as .*old has, whose weights"):
        train_model(grown, wider, out, start_from=run)
    deeper = change(grown_recipe(run, grown), {"model.top": "16,8,1"})
    with pytest.raises(ConfigError, match=r"model\.top"):
        train_model(grown, deeper, out, start_from=run)
    give_keys(grown.path, {"C2": keys_of(13)})
    assert "the vocabulary of C2 is not that of its schema" in _refused(run, grown, out)
    give_keys(grown.path, {"C2": keys_of(12)})
    step = RunFolder(run).read_report().best_step
    checkpoint = run / "checkpoints" / f"step-{step:09d}"
    (checkpoint / "dense.safetensors").write_bytes(b"cut")
    assert "it was cut short or altered" in _refused(run, grown, out)
    shutil.rmtree(checkpoint)
    with pytest.raises(MissingFileError, match=r"expected the checkpoint of what .*old exported"):
        train_model(grown, grown_recipe(run, grown), out, start_from=run)
    (run / "result.json").unlink()
    with pytest.raises(UserError, match="not finished; go on with it"):
        grown_recipe(run, grown)
    with pytest.raises(MissingFileError, match="hotrow train"):
        grown_recipe(tmp_path / "none", grown)
