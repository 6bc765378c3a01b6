"""Models and presets by name.

A model is a class and its configuration; a preset is a function from the data's ``Inputs`` to a
configuration. Both register themselves when their module is imported by ``hotrow.models``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from hotrow.errors import ConfigError
from hotrow.models.base import ModelConfig, RankingModel
from hotrow.types import Inputs

ModelClass = TypeVar("ModelClass", bound=type[RankingModel])
PresetFunction = Callable[[Inputs], ModelConfig]


@dataclass(frozen=True)
class _Preset:
    model: str
    make: PresetFunction


_models: dict[str, tuple[type[RankingModel], type[ModelConfig]]] = {}
_presets: dict[str, _Preset] = {}
_aliases: dict[str, str] = {}


def register(name: str, config: type[ModelConfig]) -> Callable[[ModelClass], ModelClass]:
    """Register a model class, built as ``cls(config, embeddings, seed=seed)``."""

    def add(cls: ModelClass) -> ModelClass:
        _models[name] = (cls, config)
        return cls

    return add


def register_preset(
    name: str, *, model: str, aliases: tuple[str, ...] = ()
) -> Callable[[PresetFunction], PresetFunction]:
    """Register a function that sizes a model for given inputs."""

    def add(make: PresetFunction) -> PresetFunction:
        _presets[name] = _Preset(model, make)
        _aliases.update(dict.fromkeys(aliases, name))
        return make

    return add


def presets() -> tuple[str, ...]:
    """Return the names of all presets, without their aliases."""
    return tuple(sorted(_presets))


def preset(name: str, inputs: Inputs) -> ModelConfig:
    """Return the configuration of a preset (or its alias) for a data set's inputs.

    Raises:
        ConfigError: there is no such preset.
    """
    return _preset(name).make(inputs)


def model_name(name: str) -> str:
    """Return the registered model behind a preset's, an alias's or a model's own name.

    Raises:
        ConfigError: there is no such preset or model.
    """
    return name if name in _models else _preset(name).model


def config_type(name: str) -> type[ModelConfig]:
    """Return a model's configuration dataclass, to read one from JSON with ``hotrow.config``.

    Raises:
        ConfigError: there is no such model.
    """
    return _models[model_name(name)][1]


def build_model(name: str, config: ModelConfig, embeddings: nn.Module, *, seed: int = 0) -> RankingModel:
    """Build a model around given embeddings.

    Args:
        name: of a model or of one of its presets.
        config: the model's configuration.
        embeddings: (B, T) ids to (B, sum of D), usually ``EmbeddingTables(config.tables, ...)``.
        seed: of the networks' initial weights.

    Raises:
        ConfigError: there is no such model.
        TypeError: the configuration is another model's.
    """
    cls, expected = _models[model_name(name)]
    if not isinstance(config, expected):
        raise TypeError(f"model {name}: got a {type(config).__name__}, expected a {expected.__name__}")
    build: Callable[..., RankingModel] = cls
    return build(config, embeddings, seed=seed)


def _preset(name: str) -> _Preset:
    known = _presets.get(_aliases.get(name, name))
    if known is None:
        raise ConfigError("model", name, f"one of {', '.join(sorted({*_presets, *_aliases}))}")
    return known
