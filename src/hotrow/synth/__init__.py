"""Synthetic logs with a known truth, to judge a trained model by what was there to learn."""

from __future__ import annotations

from hotrow.synth.criteo import synthesize_criteo as synthesize_criteo
from hotrow.synth.planted import PlantedConfig as PlantedConfig
from hotrow.synth.report import SynthReport as SynthReport
