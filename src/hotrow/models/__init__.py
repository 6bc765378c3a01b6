"""The model zoo. Models only map a batch to logits: embeddings are injected, and losses,
optimizers, devices and files are other packages' concern.
"""  # noqa: D205

from hotrow.models.base import MisfitError, ModelConfig, ModelFacts, RankingModel, input_fields
from hotrow.models.correction import Correction
from hotrow.models.dcnv2 import DCNv2, DCNv2Config
from hotrow.models.deepfm import DeepFM, DeepFMConfig
from hotrow.models.dien import DIEN, DIENConfig
from hotrow.models.din import DIN, DINConfig
from hotrow.models.dlrm import DLRM, DLRMConfig
from hotrow.models.esmm import ESMM, ESMMConfig
from hotrow.models.mt_wide_deep import MTWideDeep, MTWideDeepConfig
from hotrow.models.ncf import NCF, NCFConfig, ncf_config
from hotrow.models.registry import (
    build_model,
    config_type,
    model_name,
    paper_inputs,
    paper_of,
    preset,
    presets,
    presets_for,
    register,
    register_preset,
)
from hotrow.models.two_tower import TwoTower, TwoTowerConfig
from hotrow.models.wide_deep import WideDeep, WideDeepConfig
from hotrow.models.wukong import Wukong, WukongConfig

__all__ = [
    "DIEN",
    "DIN",
    "DLRM",
    "ESMM",
    "NCF",
    "Correction",
    "DCNv2",
    "DCNv2Config",
    "DIENConfig",
    "DINConfig",
    "DLRMConfig",
    "DeepFM",
    "DeepFMConfig",
    "ESMMConfig",
    "MTWideDeep",
    "MTWideDeepConfig",
    "MisfitError",
    "ModelConfig",
    "ModelFacts",
    "NCFConfig",
    "RankingModel",
    "TwoTower",
    "TwoTowerConfig",
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
    "paper_of",
    "preset",
    "presets",
    "presets_for",
    "register",
    "register_preset",
]
