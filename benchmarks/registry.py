"""The suites, and the tests that must be green before each may run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark suite.

    Attributes:
        module: module of this folder with ``run() -> dict``.
        measures: one line for the result's table.
        tests: what must pass first: the correctness tests of what is timed.
    """

    module: str
    measures: str
    tests: tuple[str, ...]


SUITES = {
    "prepare": Suite(
        module="benchmarks.prepare",
        measures="rows/s and peak memory of `hotrow prepare criteo`, at two lengths of log",
        tests=("tests/data", "tests/cli/test_prepare.py"),
    ),
    "synth": Suite(
        module="benchmarks.synth",
        measures="rows/s and peak memory of `hotrow synth criteo`, at two lengths of log",
        tests=("tests/synth", "tests/cli/test_synth.py"),
    ),
    "embedding": Suite(
        module="benchmarks.embedding",
        measures="embedding lookups, and lookups + backward + update, against torch",
        tests=("tests/kernels", "tests/embedding"),
    ),
    "soft-errors": Suite(
        module="benchmarks.soft_errors",
        measures="flipped bits found by checked lookups, sound lookups failed, and the checks' cost",
        tests=("tests/kernels/embedding_bag/test_soft_errors.py", "tests/embedding/test_checksums.py"),
    ),
    "loader": Suite(
        module="benchmarks.loader",
        measures="samples/s of the loader alone",
        tests=("tests/data",),
    ),
    "train": Suite(
        module="benchmarks.train",
        measures="samples/s of training, against a plain nn.EmbeddingBag DLRM on the same batches",
        tests=("tests/train", "tests/embedding", "tests/conformance"),
    ),
    "quality": Suite(
        module="benchmarks.quality",
        measures="test AUC after one epoch on 2M synthetic rows, against the ceiling and a plain DLRM",
        tests=("tests/train", "tests/metrics", "tests/synth", "tests/conformance"),
    ),
}
