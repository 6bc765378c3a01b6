"""What is trained and how: a model's preset, its configuration, the training's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotrow.config import from_mapping, override, to_mapping
from hotrow.errors import ConfigError
from hotrow.models import ModelConfig, config_type, model_name, preset
from hotrow.train.config import TrainConfig
from hotrow.types import Inputs

_MODEL_PREFIX = "model."


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model and how to train it; with the data set and the machine, it decides every bit.

    Attributes:
        preset: the name that was asked for, e.g. ``"dlrm"``.
        model: sizes of the model.
        train: everything else.
    """

    preset: str
    model: ModelConfig
    train: TrainConfig

    @property
    def model_name(self) -> str:
        """The registered model behind the preset."""
        return model_name(self.preset)

    def to_mapping(self) -> dict[str, Any]:
        """Return the recipe as plain JSON types."""
        return {
            "model": {"preset": self.preset, "name": self.model_name, "config": to_mapping(self.model)},
            "train": to_mapping(self.train),
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: str) -> Recipe:
        """Read a recipe; ``where`` names the file in messages.

        Raises:
            ConfigError: a field is unknown, missing or of the wrong type.
        """
        try:
            model = mapping["model"]
            name, config = model["preset"], model["config"]
            train = mapping["train"]
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"{where}: {error}", None, "the fields model.preset, model.config and train"
            ) from error
        return cls(
            preset=name,
            model=from_mapping(config_type(name), config, where=f"{where}: model.config"),
            train=from_mapping(TrainConfig, train, where=f"{where}: train"),
        )


def make_recipe(
    model: str, inputs: Inputs, *, settings: Mapping[str, str] | None = None, train: TrainConfig | None = None
) -> Recipe:
    """Return the recipe of a preset with ``key=value`` changes.

    Args:
        model: a preset's name, see ``hotrow models``.
        inputs: of the data set.
        settings: dotted field to text: ``model.bottom``, ``batch_size``, ``tables.lr``, ...; ``model.width``
            sets the width of all tables.
        train: what ``settings`` start from; default: the defaults.

    Raises:
        ConfigError: no such preset or field, or a value of the wrong type.
    """
    return change(
        Recipe(preset=model, model=preset(model, inputs), train=train or TrainConfig()), settings or {}
    )


def change(recipe: Recipe, settings: Mapping[str, str]) -> Recipe:
    """Return a recipe with ``key=value`` changes.

    Raises:
        ConfigError: no such field, or a value of the wrong type.
    """
    prefix = len(_MODEL_PREFIX)
    of_model = {key[prefix:]: text for key, text in settings.items() if key.startswith(_MODEL_PREFIX)}
    of_train = {key: text for key, text in settings.items() if not key.startswith(_MODEL_PREFIX)}
    model = recipe.model
    if "width" in of_model:
        model = model.with_width(_width(of_model.pop("width")))
    model = override(model, of_model, where="model")
    if model.num_dense != recipe.model.num_dense:
        expected = f"{recipe.model.num_dense}: it is the data set's, not a setting"
        raise ConfigError("model.num_dense", model.num_dense, expected)
    _require_heads(len(recipe.model.tasks), model)
    return Recipe(preset=recipe.preset, model=model, train=override(recipe.train, of_train))


def _require_heads(most: int, model: ModelConfig) -> None:
    """Check that a model is given no more labels than its preset learns of the data set's."""
    if len(model.tasks) > most:
        expected = f"{'one label' if most == 1 else f'at most {most} labels'}: this model learns no more here"
        raise ConfigError("model.tasks", ", ".join(model.tasks), expected)


def _width(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ConfigError("model.width", text, "a whole number of at least 1")
    return int(text)
