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
from hotrow.models.base import MisfitError, ModelConfig, RankingModel
from hotrow.models.paper_inputs import criteo_kaggle
from hotrow.types import Inputs

ModelClass = TypeVar("ModelClass", bound=type[RankingModel])
PresetFunction = Callable[[Inputs], ModelConfig]
Preset = TypeVar("Preset", bound=PresetFunction)


@dataclass(frozen=True)
class _Preset:
    model: str
    make: PresetFunction
    inputs: Callable[[], Inputs]
    paper: str | None


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
    name: str,
    *,
    model: str,
    aliases: tuple[str, ...] = (),
    inputs: Callable[[], Inputs] = criteo_kaggle,
    paper: str | None = None,
) -> Callable[[Preset], Preset]:
    """Register a function that sizes a model for given inputs.

    Args:
        name: of the preset.
        model: the model it sizes.
        aliases: further names.
        inputs: returns the inputs that the paper, or the benchmark that made it known, gives it.
        paper: where its sizes are described; None: where the model is.
    """

    def add(make: Preset) -> Preset:
        _presets[name] = _Preset(model, make, inputs, paper)
        _aliases.update(dict.fromkeys(aliases, name))
        return make

    return add


def presets() -> tuple[str, ...]:
    """Return the names of all presets, without their aliases."""
    return tuple(sorted(_presets))


def preset(name: str, inputs: Inputs) -> ModelConfig:
    """Return the configuration of a preset (or its alias) for a data set's inputs.

    Raises:
        ConfigError: there is no such preset, or the inputs lack what it needs; names the models that fit.
    """
    found = _preset(name)
    try:
        return found.make(inputs)
    except MisfitError as error:
        fitting = ", ".join(presets_for(inputs)) or "none"
        raise ConfigError(
            "model", name, f"data with {error.missing}; models that fit this data: {fitting}"
        ) from error


def presets_for(inputs: Inputs) -> tuple[str, ...]:
    """Return the names of the presets that a data set has the inputs for."""
    return tuple(name for name in presets() if _fits(name, inputs))


def paper_inputs(name: str) -> Inputs:
    """Return the inputs of a preset (or its alias) at the size it was published with.

    Raises:
        ConfigError: there is no such preset.
    """
    return _preset(name).inputs()


def paper_of(name: str) -> str:
    """Return where a preset (or its alias) is described.

    Raises:
        ConfigError: there is no such preset.
    """
    return _preset(name).paper or config_type(name).paper


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
        embeddings: usually ``EmbeddingTables(config.tables, features=config.features())``.
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


def _fits(name: str, inputs: Inputs) -> bool:
    try:
        _presets[name].make(inputs)
    except MisfitError:
        return False
    return True


def _preset(name: str) -> _Preset:
    known = _presets.get(_aliases.get(name, name))
    if known is None:
        raise ConfigError("model", name, f"one of {', '.join(sorted({*_presets, *_aliases}))}")
    return known
