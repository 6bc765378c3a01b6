"""The model as it is served: a checksummed folder of JSON, safetensors and vocabularies."""

from hotrow.artifact._load import find_artifact, load_artifact
from hotrow.artifact._replace import on_device, replace_networks, replace_tables, unpacked_model
from hotrow.artifact._save import save_artifact
from hotrow.artifact.artifact import Artifact
from hotrow.artifact.scoring import ScoredLines, ScoreReport, score_lines, score_log, write_scores

__all__ = [
    "Artifact",
    "ScoreReport",
    "ScoredLines",
    "find_artifact",
    "load_artifact",
    "on_device",
    "replace_networks",
    "replace_tables",
    "save_artifact",
    "score_lines",
    "score_log",
    "unpacked_model",
    "write_scores",
]
