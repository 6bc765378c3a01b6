"""Writing a loaded artifact again."""

from __future__ import annotations

from pathlib import Path

from hotrow.artifact import Artifact, save_artifact, unpacked_model
from hotrow.layers.inference import Networks


def save_again(folder: Path, artifact: Artifact, networks: Networks | None = None) -> None:
    """Write an artifact's model as another one; None: its networks are fp32."""
    save_artifact(
        folder,
        model=unpacked_model(artifact),
        model_name=artifact.name,
        model_config=artifact.config,
        schema=artifact.schema,
        vocab_folder=artifact.path / "vocab",
        metrics={},
        networks=networks,
    )
