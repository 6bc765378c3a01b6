"""``prepare`` from end to end: what is in a data set, and which rows are set aside."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hotrow.data import shards
from hotrow.data.dataset import Dataset
from hotrow.data.encoder import Encoder
from hotrow.data.formats.criteo import Criteo
from hotrow.data.hashing import hash_rows, hash_salt
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.errors import ConfigError, DataError, MissingFileError, OutputExistsError

MakeRows = Callable[..., list[str]]
REAL = Path(__file__).parents[3] / "shared" / "data" / "criteo-kaggle-10k"


def rows_of(dataset: Dataset, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all dense rows, ids and labels of a split."""
    found = dataset.shards(split)
    labels = [shard.labels for shard in found if shard.labels is not None]
    return (
        np.concatenate([shard.dense for shard in found]),
        np.concatenate([shard.ids for shard in found]),
        np.concatenate(labels),
    )


def is_absent(out: Path) -> bool:
    """Whether there is neither the target nor a leftover of it."""
    return not out.exists() and not list(out.parent.glob(f".{out.name}*"))


def check_against_reference(log: Path, out: Path, min_count: int) -> None:
    """Compare a prepared data set with a plain one-row-at-a-time preparation of the same log."""
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    cut = len(lines) * 6 // 7
    half = cut + (len(lines) - cut) // 2
    ids: list[dict[str, int]] = []
    for column in range(14, 40):
        counts = Counter(line[column] for line in lines[:cut] if line[column])
        kept = sorted((-count, int(key, 16), key) for key, count in counts.items() if count >= min_count)
        ids.append({"": 1} | {key: row for row, (_, _, key) in enumerate(kept, start=2)})
    dataset = Dataset.open(out)
    assert dataset.schema.rows == tuple(max(rows.values()) + 1 for rows in ids)
    for split, part in {"train": lines[:cut], "valid": lines[cut:half], "test": lines[half:]}.items():
        dense, found_ids, labels = rows_of(dataset, split)
        assert labels.tolist() == [float(line[0]) for line in part]
        expected = [[rows.get(key, 0) for rows, key in zip(ids, line[14:], strict=True)] for line in part]
        assert found_ids.tolist() == expected
        numbers = np.array([[float(cell or "nan") for cell in line[1:14]] for line in part])
        logarithms = np.sign(numbers) * np.log1p(np.abs(numbers))
        np.testing.assert_allclose(dense, np.where(np.isnan(numbers), -1.0, logarithms), rtol=1e-6)


@pytest.mark.parametrize("min_count", [1, 10, 20])
def test_equals_a_plain_preparation(log: Path, tmp_path: Path, min_count: int) -> None:
    report = prepare("criteo", [log], tmp_path / "out", PrepareConfig(min_count=min_count))
    assert (report.rows, report.rejected_rows, report.rejected_by_reason) == (700, 0, {})
    assert report.splits == {"train": 600, "valid": 50, "test": 50}
    check_against_reference(log, tmp_path / "out", min_count)


def test_many_small_blocks_and_shards_change_nothing(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hotrow.data import _encoding, _writing
    from hotrow.data.formats.criteo import Criteo

    monkeypatch.setattr(_encoding, "_COUNTED_AT_ONCE", 64)
    monkeypatch.setattr(_encoding, "_ENCODED_AT_ONCE", 40)
    monkeypatch.setattr(_encoding, "MAX_DISTINCT", 5)
    monkeypatch.setattr(_writing, "_ROWS_AT_ONCE", 48)
    monkeypatch.setattr(_writing, "SHARD_ROWS", 110)
    monkeypatch.setattr("hotrow.data.prepare.find_format", lambda _: Criteo(block_bytes=2000))
    prepare("criteo", [log], tmp_path / "out", PrepareConfig(min_count=5))
    assert [len(shard.ids) for shard in Dataset.open(tmp_path / "out").shards("train")] == [110] * 5 + [50]
    check_against_reference(log, tmp_path / "out", 5)


def test_the_same_log_gives_the_same_bytes(log: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "log.gz"
    zipped.write_bytes(gzip.compress(log.read_bytes()))
    for out, source in (("a", log), ("b", log), ("c", zipped)):
        prepare("criteo", [source], tmp_path / out)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 26 + 3 + 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        if file.name != "schema.json":  # it names the source
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()


def test_vocabularies_are_counted_over_the_training_rows_only(tmp_path: Path, criteo_rows: MakeRows) -> None:
    lines = criteo_rows(70, labelled=True)
    late = ["\t".join([*line.split("\t")[:39], "beefbeef"]) for line in lines[60:]]
    log = tmp_path / "log"
    log.write_text("\n".join(lines[:60] + late))
    prepare("criteo", [log], tmp_path / "out", PrepareConfig(min_count=1))
    vocabulary = Vocabulary.load(vocabulary_path(tmp_path / "out" / "vocab", "C26"))
    assert 0xBEEFBEEF not in vocabulary.keys.tolist()
    assert vocabulary.counts.sum() == sum(1 for line in lines[:60] if line.split("\t")[39])
    for split in ("valid", "test"):
        assert set(rows_of(Dataset.open(tmp_path / "out"), split)[1][:, 25].tolist()) == {0}


def test_several_files_train_on_all_but_the_last(log: Path, tmp_path: Path, criteo_rows: MakeRows) -> None:
    other = tmp_path / "day_1"
    other.write_text("\n".join(criteo_rows(31, labelled=True, seed=1)))
    report = prepare("criteo", [log, other], tmp_path / "days")
    assert report.splits == {"train": 700, "valid": 15, "test": 16}
    report = prepare("criteo", [log, other], tmp_path / "rows", PrepareConfig(split="rows"))
    assert report.splits == {"train": 626, "valid": 52, "test": 53}
    sources = json.loads((tmp_path / "days" / "schema.json").read_text())["sources"]
    assert [(source["file"], source["rows"]) for source in sources] == [(str(log), 700), (str(other), 31)]


def test_an_encoder_encodes_the_log_as_it_was_prepared(log: Path, tmp_path: Path) -> None:
    prepare("criteo", [log], tmp_path / "out", PrepareConfig(hash={"C3": 30, "C5": 1000}))
    dataset = Dataset.open(tmp_path / "out")
    (block,) = Criteo().read(log)
    encoded = Encoder.load(dataset.vocab_folder, dataset.schema).encode(block.rows)
    parts = [rows_of(dataset, split) for split in ("train", "valid", "test")]
    assert np.array_equal(encoded.dense, np.concatenate([dense for dense, _, _ in parts]))
    assert np.array_equal(encoded.ids, np.concatenate([ids for _, ids, _ in parts]))


def test_hashing_needs_no_vocabulary(log: Path, tmp_path: Path) -> None:
    report = prepare("criteo", [log], tmp_path / "out", PrepareConfig(hash_rows=100, hash={"C3": 30}))
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.schema.rows == (100, 100, 30, *[100] * 23)
    assert not list(dataset.vocab_folder.iterdir())
    (block,) = Criteo().read(log)
    present = block.rows.keys[2, :600] < 2**32
    ids = rows_of(dataset, "train")[1][:, 2]
    expected = hash_rows(block.rows.keys[2, :600], salt=hash_salt("C3"), rows=30)
    assert np.array_equal(ids[present], expected[present])
    assert set(ids[~present].tolist()) == {1}
    feature = next(feature for feature in report.features if feature.name == "C3")
    assert (feature.encoding, feature.rows, feature.distinct, feature.unseen_share) == ("hash", 30, None, 0.0)


def test_the_report_tells_of_every_feature(log: Path, tmp_path: Path) -> None:
    report = prepare("criteo", [log], tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert [feature.kind for feature in report.features] == ["dense"] * 13 + ["categorical"] * 26
    ids = np.concatenate([rows_of(dataset, split)[1] for split in ("train", "valid", "test")])
    for column, feature in enumerate(report.features[13:]):
        assert feature.rows == dataset.schema.rows[column]
        assert feature.unseen_share == pytest.approx((ids[:, column] == 0).mean())
        assert feature.missing_share == pytest.approx((ids[:, column] == 1).mean())
        assert feature.distinct is not None
        assert feature.distinct >= feature.rows - 2
    assert report.rows_per_second == pytest.approx(report.rows / report.seconds)
    assert report.peak_rss_mib > 10


def test_rejected_rows_are_counted_and_kept(log: Path, tmp_path: Path) -> None:
    lines = log.read_bytes().split(b"\n")[:-1]
    cells = lines[50].split(b"\t")
    bad = {
        3: (b"column_count", b"", lines[3] + b"\t"),
        10: (b"column_count", b"", b""),
        50: (b"label", b"label", b"\t".join([b"2", *cells[1:]])),
        60: (b"integer", b"I2", b"\t".join([*cells[:2], b"1.5", *cells[3:]])),
        61: (b"id", b"C1", b"\t".join([*cells[:14], b"68fd1e6\0", *cells[15:]])),
        600: (b"id", b"C26", b"\t".join([*cells[:39], b"caf\xe9"])),
    }
    for number, (_, _, line) in bad.items():
        lines[number] = line
    log.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    report = prepare("criteo", [log], tmp_path / "out")
    assert (report.rows, report.rejected_rows) == (694, 6)
    assert report.rejected_by_reason == {"column_count": 2, "label": 1, "integer": 1, "id": 2}
    assert sum(report.splits.values()) == 694
    kept = (tmp_path / "out" / "rejected.tsv").read_bytes().splitlines()
    assert len(kept) == 1 + 6
    for (number, (reason, column, text)), line in zip(bad.items(), kept[1:], strict=True):
        escaped = text.replace(b"\t", b"\\t").replace(b"\0", b"\\x00").replace(b"\xe9", b"\\xe9")
        assert line == b"\t".join([str(log).encode(), b"%d" % (number + 1), reason, column, escaped])


def test_strict_stops_at_the_first_bad_row(log: Path, tmp_path: Path) -> None:
    lines = log.read_text().splitlines()
    lines[650] = "not a row"
    lines[444] = lines[444].replace(lines[444].split("\t")[20], "xyz", 1)
    log.write_text("\n".join(lines))
    with pytest.raises(
        DataError, match=r"log\.txt, line 445, column C7: found 'xyz', expected 1 to 8 hex"
    ) as error:
        prepare("criteo", [log], tmp_path / "out", PrepareConfig(strict=True))
    assert (error.value.line, error.value.column) == (445, "C7")
    assert is_absent(tmp_path / "out")


def test_line_numbers_go_on_across_blocks_and_start_anew_with_each_source(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hotrow.data.formats.criteo import Criteo

    monkeypatch.setattr("hotrow.data.prepare.find_format", lambda _: Criteo(block_bytes=2000))
    second = tmp_path / "second.txt"
    second.write_text(log.read_text().replace("\n", "\nbad\n"))
    report = prepare("criteo", [log, second], tmp_path / "out")
    assert (report.rows, report.rejected_rows) == (1400, 700)
    kept = [line.split("\t")[:2] for line in (tmp_path / "out" / "rejected.tsv").read_text().splitlines()[1:]]
    assert kept == [[str(second), str(number)] for number in range(2, 1401, 2)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a\nb\nc\n", r", line 1: all 3 rows were rejected; first: found 1 column, expected 40"),
        (b"\xef\xbb\xbf", "no rows in it"),
        (("1" + "\t" * 39 + "\n").encode() * 7, "7 accepted rows, expected at least 8"),
        (("1" + "\t" * 38 + "\n").encode() * 20, r"is an unlabelled log, .*hotrow rank"),
    ],
    ids=["empty", "all rejected", "mark only", "too few", "unlabelled"],
)
def test_logs_that_cannot_be_prepared(tmp_path: Path, content: bytes, message: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare("criteo", [log], tmp_path / "out")
    assert is_absent(tmp_path / "out")


def test_rows_without_any_value_are_rows(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(("1" + "\t" * 39 + "\n") * 20)
    assert prepare("criteo", [log], tmp_path / "out").rows == 20
    dense, ids, labels = rows_of(Dataset.open(tmp_path / "out"), "train")
    assert (dense == -1).all()
    assert (ids == 1).all()
    assert (labels == 1).all()


def test_a_truncated_gzip_leaves_no_target(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(log.read_bytes())[:-20_000])
    with pytest.raises(DataError, match=r"log\.gz: the gzip stream is cut short after \d+ whole lines"):
        prepare("criteo", [path], tmp_path / "out")
    assert is_absent(tmp_path / "out")


def test_sources_are_checked_before_anything_is_read(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(MissingFileError, match="day_1: not found, expected a raw log"):
        prepare("criteo", [log, tmp_path / "day_1"], out)
    with pytest.raises(DataError, match="is a folder, expected a file"):
        prepare("criteo", [log, tmp_path], out)
    with pytest.raises(DataError, match="is given twice"):
        prepare("criteo", [log, tmp_path / "." / "log.txt"], out)
    with pytest.raises(DataError, match="lies within the output"):
        prepare("criteo", [log], tmp_path, overwrite=True)
    with pytest.raises(ConfigError, match="sources"):
        prepare("criteo", [], out)
    assert is_absent(out)


def test_an_output_in_the_way(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare("criteo", [log], out)
    before = (out / "schema.json").read_text()
    with pytest.raises(OutputExistsError, match="--overwrite"):
        prepare("criteo", [log], out, PrepareConfig(min_count=2))
    assert (out / "schema.json").read_text() == before
    prepare("criteo", [log], out, PrepareConfig(min_count=2), overwrite=True)
    assert (out / "schema.json").read_text() != before


def test_only_a_data_set_is_overwritten(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "holiday"
    out.mkdir()
    (out / "photo.jpg").write_text("keep me")
    with pytest.raises(OutputExistsError, match="is no prepared data set"):
        prepare("criteo", [log], out, overwrite=True)
    assert (out / "photo.jpg").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": 0}, "min_count: got 0, expected at least 1"),
        ({"hash_rows": 2}, "hash_rows: got 2, expected 3 to 2147483647 rows"),
        ({"hash": {"C3": 2**31}}, r"hash\.C3: got 2147483648"),
        ({"hash": {"C27": 10}}, r"hash\.C27: got 10, expected one of the features C1, C2"),
        ({"split": "files"}, "split: got 'files', expected two or more sources"),
    ],
    ids=str,
)
def test_options_out_of_range(log: Path, tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare("criteo", [log], tmp_path / "out", PrepareConfig(**options))  # type: ignore[arg-type]
    assert is_absent(tmp_path / "out")


def test_shards_are_as_large_as_documented() -> None:
    assert shards.SHARD_ROWS == 1_048_576


def test_real_log(tmp_path: Path) -> None:
    log = REAL / "train.txt"
    if not log.is_file():
        pytest.skip(f"no real data at {log}")
    report = prepare("criteo", [log], tmp_path / "out")
    assert (report.rows, report.rejected_rows) == (10_000, 0)
    assert report.splits == {"train": 8571, "valid": 714, "test": 715}
    check_against_reference(log, tmp_path / "out", 10)
