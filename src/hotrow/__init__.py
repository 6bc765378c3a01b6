"""Train, shrink and serve deep recommendation models on the servers you have.

The main job from Python::

    from pathlib import Path

    import hotrow

    hotrow.prepare("criteo", [Path("train.txt")], Path("data"))
    dataset = hotrow.Dataset.open("data")
    hotrow.train_model(dataset, hotrow.make_recipe("dlrm", dataset.schema.inputs()), "run")
    artifact = hotrow.load_artifact("run/model")
    scores = artifact.score(artifact.block([{"I1": 3, "C1": "68fd1e64"}]))

Embedding tables are usable in any PyTorch model: ``hotrow.embedding.EmbeddingTables``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotrow.artifact import Artifact as Artifact
    from hotrow.artifact import load_artifact as load_artifact
    from hotrow.artifact import score_log as score_log
    from hotrow.data.dataset import Dataset as Dataset
    from hotrow.data.loader import Loader as Loader
    from hotrow.data.prepare import prepare as prepare
    from hotrow.errors import HotrowError as HotrowError
    from hotrow.errors import UserError as UserError
    from hotrow.models import build_model as build_model
    from hotrow.serving import serve as serve
    from hotrow.synth import synthesize_criteo as synthesize_criteo
    from hotrow.train import make_recipe as make_recipe
    from hotrow.train import train_model as train_model

_HOME = {
    "Artifact": "hotrow.artifact",
    "Dataset": "hotrow.data.dataset",
    "HotrowError": "hotrow.errors",
    "Loader": "hotrow.data.loader",
    "UserError": "hotrow.errors",
    "build_model": "hotrow.models",
    "load_artifact": "hotrow.artifact",
    "make_recipe": "hotrow.train",
    "prepare": "hotrow.data.prepare",
    "score_log": "hotrow.artifact",
    "serve": "hotrow.serving",
    "synthesize_criteo": "hotrow.synth",
    "train_model": "hotrow.train",
}
"""Where each public name lives; it is imported when first used, so ``import hotrow`` is cheap."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name == "embedding":
        return import_module("hotrow.embedding")
    if name not in _HOME:
        raise AttributeError(f"module 'hotrow' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
