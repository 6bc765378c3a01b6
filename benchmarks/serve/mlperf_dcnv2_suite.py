"""Suite ``serve-mlperf-dcnv2``: that of ``serve-mlperf`` for DCN-v2."""

from benchmarks.serve.mlperf_suite import run_dcnv2 as run

__all__ = ["run"]
