"""The suites, and the tests that must be green before each may run."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmarks._data import missing


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark suite.

    Attributes:
        module: module of this folder with ``run() -> dict``.
        measures: one line for the result's table.
        tests: what must pass first: the correctness tests of what is timed.
        needs_gpu: whether it measures a CUDA device.
        needs_data: the real data set it reads, looked for where ``benchmarks._data`` says.

    ``all`` leaves out, with a word, what lacks its device or its data.
    """

    module: str
    measures: str
    tests: tuple[str, ...]
    needs_gpu: bool = False
    needs_data: str | None = None

    def obstacle(self) -> str | None:
        """Return what keeps it from running here, None if nothing does."""
        if self.needs_gpu and not torch.cuda.is_available():
            return "there is no CUDA device"
        return missing(self.needs_data) if self.needs_data else None


_SERVING = ("tests/serving", "tests/scheduling", "tests/load", "tests/tune")

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
        module="benchmarks.embedding.training",
        measures="embedding lookups, and lookups + backward + optimizer, against FBGEMM, torch and memory",
        tests=("tests/kernels", "tests/embedding"),
    ),
    "embedding-lowbit": Suite(
        module="benchmarks.embedding.lowbit",
        measures="lookups in fp16, int8, int4 and int2 tables, against FBGEMM, torch and memory",
        tests=("tests/kernels", "tests/embedding"),
    ),
    "quantize": Suite(
        module="benchmarks.quantize",
        measures="quantising rows to 8, 4 and 2 bits, min-max and greedy, against torch's prepack operators",
        tests=("tests/kernels/quantize_rows",),
    ),
    "interact": Suite(
        module="benchmarks.interact",
        measures="the dot interaction and its gradient, against the same in plain PyTorch",
        tests=("tests/kernels/interact", "tests/layers"),
    ),
    "networks": Suite(
        module="benchmarks.networks",
        measures="a forward of served models, networks in fp32, bf16 and int8, against eager nn.Linear",
        tests=(
            "tests/layers/inference",
            "tests/kernels/int8_layers",
            "tests/conformance/test_splits.py",
        ),
    ),
    "embedding-gpu": Suite(
        module="benchmarks.embedding_gpu",
        measures="embedding lookups, and lookups + backward + update, on a CUDA device, against torch",
        tests=("tests/kernels/embedding_bag",),
        needs_gpu=True,
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
        module="benchmarks.train.suite",
        measures="samples/s of training, against a plain DLRM, facebookresearch/dlrm and TorchRec",
        tests=("tests/train", "tests/embedding", "tests/conformance"),
    ),
    "quality": Suite(
        module="benchmarks.quality",
        measures="test AUC after one epoch on 2M synthetic rows, against the ceiling and a plain DLRM",
        tests=("tests/train", "tests/metrics", "tests/synth", "tests/conformance"),
    ),
    "epoch": Suite(
        module="benchmarks.epoch",
        measures="`hotrow prepare` and an epoch of `hotrow train` on 10M rows, and minutes of Kaggle's 46M",
        tests=("tests/data", "tests/train"),
    ),
    "precision": Suite(
        module="benchmarks.precision",
        measures="test AUC and learning curves of training in bf16 and in fp32, on three seeds",
        tests=("tests/train", "tests/metrics", "tests/synth", "tests/conformance"),
        needs_data="ml-1m",
    ),
    "ncf": Suite(
        module="benchmarks.ncf.reproduce",
        measures="HR@10 and NDCG@10 of GMF, MLP and NeuMF on MovieLens-1M, by the published protocol, "
        "against popularity and implicit ALS",
        tests=(
            "tests/models/test_ncf.py",
            "tests/data/test_sampling.py",
            "tests/data/test_unchosen.py",
            "tests/data/formats/movielens",
            "tests/metrics",
            "tests/train/test_sampling.py",
        ),
        needs_data="ml-1m",
    ),
    "histories": Suite(
        module="benchmarks.histories.compare",
        measures="AUC and gAUC of DIN, of DIN without attention and of DIEN on real sequences; memory of "
        "long histories",
        tests=(
            "tests/models/test_din.py",
            "tests/models/test_dien.py",
            "tests/layers",
            "tests/metrics",
            "tests/data/formats/movielens",
            "tests/data/formats/sequences",
        ),
        needs_data="seq-amazon",
    ),
    "ctr": Suite(
        module="benchmarks.ctr.training",
        measures="test AUC of click-through models on MovieLens-1M, against FuxiCTR's",
        tests=("tests/models", "tests/train", "tests/data/formats/movielens", "tests/metrics"),
        needs_data="ml-1m",
    ),
    "ctr-speed": Suite(
        module="benchmarks.ctr.speed",
        measures="training throughput of DCN-v2 and DeepFM on MovieLens-1M, against FuxiCTR's",
        tests=("tests/models", "tests/train"),
        needs_data="ml-1m",
    ),
    "serve": Suite(
        module="benchmarks.serve.models_suite",
        measures="highest rate of the eight models under their latency targets, tuned against static batches",
        tests=_SERVING,
    ),
    "serve-peers": Suite(
        module="benchmarks.serve.peers_suite",
        measures="highest rate of one DLRM behind hotrow, FastAPI and Ray Serve under one latency target",
        tests=_SERVING,
    ),
    "serve-mlperf": Suite(
        module="benchmarks.serve.mlperf_suite",
        measures="MLPerf LoadGen's Server and Offline scenarios of DLRM, in process and over loopback",
        tests=_SERVING,
    ),
    "serve-mlperf-dcnv2": Suite(
        module="benchmarks.serve.mlperf_dcnv2_suite",
        measures="MLPerf LoadGen's Server and Offline scenarios of DCN-v2, in process and over loopback",
        tests=_SERVING,
    ),
    "serve-promises": Suite(
        module="benchmarks.serve.promises_suite",
        measures="goodput under overload, and answers while workers are killed",
        tests=_SERVING,
    ),
}
