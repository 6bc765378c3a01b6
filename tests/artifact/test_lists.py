"""Artifacts of models that take list features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.artifact.conftest import reseal
from tests.data.lists import list_schema

from hotrow.artifact import Artifact, load_artifact, save_artifact
from hotrow.artifact import artifact as artifact_module
from hotrow.data.encoder import listed_ids
from hotrow.data.raw import EncodedBlock, RawBlock, RawList
from hotrow.data.schema import RESERVED_IDS
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.errors import ArtifactError
from hotrow.models import build_model, preset

SCHEMA = list_schema(more_labels=("buy",))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return an artifact with a history of items and a weighted bag with a vocabulary of its own."""
    vocabularies = tmp_path / "vocab"
    vocabularies.mkdir()
    for feature in SCHEMA.owners:
        keys = np.arange(RESERVED_IDS, feature.rows, dtype=np.uint64)
        Vocabulary(keys, np.ones(len(keys), np.int64)).save(vocabulary_path(vocabularies, feature.name))
    config = preset("dlrm-small", SCHEMA.inputs())
    optimizer = TableOptimizerConfig()
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=optimizer, seed=1)
    save_artifact(
        tmp_path / "model",
        model=build_model("dlrm", config, tables, seed=1),
        model_name="dlrm",
        model_config=config,
        schema=SCHEMA,
        vocab_folder=vocabularies,
        metrics={},
    )
    return tmp_path / "model"


def rows(count: int) -> RawBlock:
    """Return rows whose histories and bags are slices of two arrays that all of them share."""
    rng = np.random.default_rng(3)
    starts, lengths = rng.integers(0, 40, (2, count)), rng.integers(0, 9, (2, count))
    keys = rng.integers(0, 33, (2, 50)).astype(np.uint64)
    return RawBlock(
        rng.normal(size=(count, 1)),
        rng.integers(0, 33, (2, count)).astype(np.uint64),
        None,
        (
            RawList(keys[0], starts[0], lengths[0]),
            RawList(keys[1], starts[1], lengths[1], rng.random(50).astype(np.float32)),
        ),
    )


@pytest.mark.parametrize("count", [0, 1, 6, 20])
def test_batches_do_not_show(listed: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    artifact = load_artifact(listed)
    whole = artifact.score(rows(count))
    assert whole.shape == (count,)
    assert artifact.score_tasks(rows(count)).tolist() == whole[:, None].tolist()
    monkeypatch.setattr(artifact_module, "BATCH_ROWS", 6)
    np.testing.assert_allclose(artifact.score(rows(count)), whole, rtol=1e-5)


@pytest.mark.parametrize("most", [1, 9, 100_000])
def test_long_lists_come_in_small_batches(listed: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    artifact, block = load_artifact(listed), rows(20)
    whole, counts = artifact.score(block), listed_ids(block, artifact.schema)
    sizes: list[int] = []
    score_batch = Artifact._score_batch

    def noted(self: Artifact, part: EncodedBlock) -> NDArray[np.float32]:
        ids = sum(int(listed.lengths.sum()) for listed in part.lists)
        assert ids <= most or len(part) == 1
        sizes.append(len(part))
        return score_batch(self, part)

    monkeypatch.setattr(artifact_module, "BATCH_LISTED", most)
    monkeypatch.setattr(Artifact, "_score_batch", noted)
    np.testing.assert_allclose(artifact.score(block), whole, rtol=1e-5)
    assert sum(sizes) == 20
    assert len(sizes) == 1 if counts.sum() <= most else len(sizes) > 1


def test_lists_and_their_weights_matter(listed: Path) -> None:
    artifact, block = load_artifact(listed), rows(20)
    scores = artifact.score(block)
    history, bag = block.lists
    assert bag.weights is not None
    empty = RawList(history.keys, history.starts, np.zeros(20, np.int64))
    doubled = RawList(bag.keys, bag.starts, bag.lengths, 2 * bag.weights)
    for changed, of in (((empty, bag), history), ((history, doubled), bag)):
        other = artifact.score(RawBlock(block.dense, block.keys, None, changed))
        assert ((other != scores) == (of.lengths > 0)).all()


def test_a_missing_vocabulary_of_a_list_is_named(listed: Path) -> None:
    assert sorted(path.stem for path in (listed / "vocab").iterdir()) == ["item", "list1", "user"]
    (listed / "vocab" / "list1.arrow").unlink()
    reseal(listed)
    with pytest.raises(ArtifactError, match=r"vocab/list1\.arrow: missing"):
        load_artifact(listed)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("of", "nothing", r"model\.json: schema\.list0\.of: got 'nothing', expected a categorical feature"),
        ("rows", 31, r"model\.json: schema\.list0\.rows: got 31, expected 30, as item has"),
        ("max_length", 0, r"model\.json: schema\.list0\.max_length: got 0, expected at least 1"),
        (
            "name",
            "item",
            r"model\.json: schema\.name: got 'item', expected each feature to have a name of its own",
        ),
    ],
)
def test_a_schema_that_contradicts_itself(listed: Path, field: str, value: object, message: str) -> None:
    path = listed / "model.json"
    content = json.loads(path.read_text())
    content["schema"]["lists"][0][field] = value
    path.write_text(json.dumps(content))
    reseal(listed)
    with pytest.raises(ArtifactError, match=message):
        load_artifact(listed)
