from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from hotrow.artifact import (
    Artifact,
    load_artifact,
    on_device,
    replace_networks,
    save_artifact,
    unpacked_model,
)
from hotrow.artifact import artifact as artifact_module
from hotrow.data.raw import RawBlock
from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.errors import DataError, MissingFileError, OutputExistsError, SchemaMismatchError
from hotrow.layers.inference import Networks, for_inference, sigmoid
from hotrow.models import Correction, build_model, preset
from hotrow.types import Batch


@pytest.fixture(scope="module")
def loaded(criteo_run: Path) -> Artifact:
    return load_artifact(criteo_run)


def _rows(count: int, seed: int = 0) -> RawBlock:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 5000, (count, 13)).astype(np.float64)
    dense[rng.random((count, 13)) < 0.2] = np.nan
    keys = rng.integers(0, 60, (26, count)).astype(np.uint64)
    return RawBlock(dense, keys, None)


def test_scores_are_the_models_probabilities(loaded: Artifact) -> None:
    rows = _rows(300)
    encoded = loaded.encoder.encode(rows)
    logits = loaded.model(Batch(torch.from_numpy(encoded.dense), torch.from_numpy(encoded.ids)))
    scores = loaded.score(rows)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits.double().numpy())), rtol=1e-6)
    assert 0 < scores.min() < scores.max() < 1


def test_the_weights_that_were_saved_are_scored(tmp_path: Path, criteo_run: Path, loaded: Artifact) -> None:
    schema = loaded.schema
    config = preset("dlrm-small", schema.inputs())
    tables = EmbeddingTables(config.tables, optimizer=TableOptimizerConfig(), seed=9)
    model = build_model("dlrm", config, tables, seed=9)
    save_artifact(
        tmp_path / "m",
        model=model,
        model_name="dlrm",
        model_config=config,
        schema=schema,
        vocab_folder=criteo_run / "model" / "vocab",
        metrics={},
    )
    again = load_artifact(tmp_path / "m")
    rows = _rows(50)
    encoded = again.encoder.encode(rows)
    with torch.inference_mode():
        logits = for_inference(model.eval())(
            Batch(torch.from_numpy(encoded.dense), torch.from_numpy(encoded.ids))
        )
    np.testing.assert_array_equal(again.score(rows), sigmoid(logits).numpy())
    assert not np.array_equal(again.score(rows), loaded.score(rows))
    state = unpacked_model(again).state_dict()
    for name, tensor in model.state_dict().items():
        assert name.endswith(("accumulator", "step")) or torch.equal(state[name], tensor), name


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 13])
def test_batches_do_not_show(loaded: Artifact, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    rows = _rows(count)
    whole = loaded.score(rows)
    monkeypatch.setattr(artifact_module, "BATCH_ROWS", 6)
    assert whole.shape == (count,)
    np.testing.assert_array_equal(loaded.score(rows), whole)


def test_ids_never_seen_share_a_score(loaded: Artifact) -> None:
    rows = _rows(2)
    rows.dense[1] = rows.dense[0]
    rows.keys[:, 0], rows.keys[:, 1] = 0xDEAD0000, 0xBEEF0000
    encoded = loaded.encoder.encode(rows)
    np.testing.assert_array_equal(encoded.ids[0], encoded.ids[1])
    first, second = loaded.score(rows)
    # Equal rows of one matrix product: some processors' BLAS rounds them differently by their place.
    assert first == pytest.approx(second, rel=1e-6)


def test_threads_score_at_once(loaded: Artifact) -> None:
    blocks = [_rows(400, seed) for seed in range(8)]
    alone = [loaded.score(block) for block in blocks]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(loaded.score, blocks * 3))
    for index, scores in enumerate(together):
        np.testing.assert_array_equal(scores, alone[index % 8])


def test_nothing_is_left_to_train(loaded: Artifact) -> None:
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc to see mappings")
def test_tables_stay_in_their_file(loaded: Artifact) -> None:
    embeddings = loaded.model.embeddings
    assert isinstance(embeddings, EmbeddingTables)
    ranges = [
        [int(part, 16) for part in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith("model/tables.safetensors")
    ]
    for feature in loaded.schema.categorical:
        address = embeddings.table_weight(feature.name).data_ptr()
        assert any(start <= address < end for start, end in ranges), feature.name


def test_rows_are_read_by_the_format(loaded: Artifact) -> None:
    block = loaded.block([{"I1": 3, "C2": "0000000a"}, {}])
    assert block.dense[0, 0] == 3
    assert block.keys[1, 0] == 10
    with pytest.raises(DataError, match="column C1"):
        loaded.block([{"C1": "not hex"}])


def test_columns_of_another_log_are_refused_when_raw_rows_come(loaded: Artifact) -> None:
    from dataclasses import replace

    features = loaded.schema.categorical
    swapped = replace(loaded.schema, categorical=(features[1], features[0], *features[2:]))
    with pytest.raises(
        SchemaMismatchError, match=r"model: the schema has columns .*C2, C1.*, format criteo has"
    ):
        replace(loaded, schema=swapped).block([{}])


def _save(target: Path, source: Artifact, vocabularies: Path, *, overwrite: bool = False) -> None:
    save_artifact(
        target,
        model=unpacked_model(source),
        model_name="dlrm",
        model_config=preset("dlrm-small", source.schema.inputs()),
        schema=source.schema,
        vocab_folder=vocabularies,
        metrics={},
        overwrite=overwrite,
    )


def test_an_artifact_is_replaced_only_when_told(tmp_path: Path, loaded: Artifact, criteo_run: Path) -> None:
    vocabularies = criteo_run / "model" / "vocab"
    _save(tmp_path / "m", loaded, vocabularies)
    with pytest.raises(OutputExistsError):
        _save(tmp_path / "m", loaded, vocabularies)
    _save(tmp_path / "m", loaded, vocabularies, overwrite=True)
    np.testing.assert_array_equal(load_artifact(tmp_path / "m").score(_rows(9)), loaded.score(_rows(9)))


def test_a_correction_is_kept_and_applied(tmp_path: Path, loaded: Artifact, criteo_run: Path) -> None:
    w = 0.125
    save_artifact(
        tmp_path / "m",
        model=unpacked_model(loaded),
        model_name="dlrm",
        model_config=loaded.config,
        schema=loaded.schema,
        vocab_folder=criteo_run / "model" / "vocab",
        metrics={},
        correction=Correction(odds=(w,)),
    )
    corrected = load_artifact(tmp_path / "m")
    p = loaded.score(_rows(40)).astype(np.float64)
    np.testing.assert_allclose(corrected.score(_rows(40)), p / (p + (1 - p) / w), rtol=1e-5)
    for other in (replace_networks(corrected, Networks(precision="fp32")), on_device(corrected, "cpu")):
        np.testing.assert_allclose(other.score(_rows(40)), corrected.score(_rows(40)), rtol=1e-5)


def test_packed_networks_are_not_saved(tmp_path: Path, loaded: Artifact, criteo_run: Path) -> None:
    with pytest.raises(ValueError, match="packed for inference"):
        save_artifact(
            tmp_path / "m",
            model=loaded.model,
            model_name="dlrm",
            model_config=loaded.config,
            schema=loaded.schema,
            vocab_folder=criteo_run / "model" / "vocab",
            metrics={},
        )
    assert not (tmp_path / "m").exists()


def test_a_loaded_artifact_outlives_its_replacement(
    tmp_path: Path, loaded: Artifact, criteo_run: Path
) -> None:
    vocabularies = criteo_run / "model" / "vocab"
    _save(tmp_path / "m", loaded, vocabularies)
    old = load_artifact(tmp_path / "m")
    _save(tmp_path / "m", loaded, vocabularies, overwrite=True)
    np.testing.assert_array_equal(old.score(_rows(9)), loaded.score(_rows(9)))


def test_a_failure_while_writing_leaves_nothing(
    tmp_path: Path, loaded: Artifact, criteo_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hotrow.artifact._save.write_tensors", full)
    with pytest.raises(Exception, match="no space left on the disk"):
        _save(tmp_path / "m", loaded, criteo_run / "model" / "vocab")
    assert list(tmp_path.iterdir()) == []


def test_missing_vocabularies_are_named(tmp_path: Path, loaded: Artifact) -> None:
    with pytest.raises(MissingFileError, match="vocabularies of a prepared data set"):
        _save(tmp_path / "m", loaded, tmp_path / "none")


def test_on_another_device_it_scores_alike(loaded: Artifact) -> None:
    rows = _rows(30)
    moved = on_device(loaded, "cpu")  # as it moves to any other
    assert moved.model is not loaded.model
    np.testing.assert_allclose(moved.score(rows), loaded.score(rows), rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_cuda_device_it_scores_alike(loaded: Artifact) -> None:
    rows = _rows(30)
    np.testing.assert_allclose(on_device(loaded, "cuda").score(rows), loaded.score(rows), rtol=1e-4)
