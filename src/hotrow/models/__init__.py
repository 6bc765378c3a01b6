"""The model zoo. Models only map a batch to logits: embeddings are injected, and losses,
optimizers, devices and files are other packages' concern.
"""  # noqa: D205

from hotrow.models.base import MisfitError, ModelConfig, ModelFacts, RankingModel, input_fields
from hotrow.models.dlrm import DLRM, DLRMConfig
from hotrow.models.ncf import NCF, NCFConfig, ncf_config
from hotrow.models.registry import (
    build_model,
    config_type,
    model_name,
    paper_inputs,
    preset,
    presets,
    presets_for,
    register,
    register_preset,
)

__all__ = [
    "DLRM",
    "NCF",
    "DLRMConfig",
    "MisfitError",
    "ModelConfig",
    "ModelFacts",
    "NCFConfig",
    "RankingModel",
    "build_model",
    "config_type",
    "input_fields",
    "model_name",
    "ncf_config",
    "paper_inputs",
    "preset",
    "presets",
    "presets_for",
    "register",
    "register_preset",
]
