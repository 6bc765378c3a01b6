"""Measurements: one module per suite, behind green tests, results in ``benchmarks/results``."""
