"""Tuning a model's server on this machine: DeepRecSched measures a real engine under real load."""

from hotrow.tune.report import TuneReport
from hotrow.tune.run import TuneSettings, tune_run

__all__ = ["TuneReport", "TuneSettings", "tune_run"]
