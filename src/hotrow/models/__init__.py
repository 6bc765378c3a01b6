"""The model zoo. Models only map a batch to logits: embeddings are injected, and losses,
optimizers, devices and files are other packages' concern.
"""  # noqa: D205

from hotrow.models.base import MisfitError, ModelConfig, ModelFacts, RankingModel, input_fields
from hotrow.models.dcnv2 import DCNv2, DCNv2Config
from hotrow.models.deepfm import DeepFM, DeepFMConfig
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
from hotrow.models.wide_deep import WideDeep, WideDeepConfig
from hotrow.models.wukong import Wukong, WukongConfig

__all__ = [
    "DLRM",
    "NCF",
    "DCNv2",
    "DCNv2Config",
    "DLRMConfig",
    "DeepFM",
    "DeepFMConfig",
    "MisfitError",
    "ModelConfig",
    "ModelFacts",
    "NCFConfig",
    "RankingModel",
    "WideDeep",
    "WideDeepConfig",
    "Wukong",
    "WukongConfig",
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
