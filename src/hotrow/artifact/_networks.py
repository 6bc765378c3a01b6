"""The networks of an artifact put into the numbers that it says they are computed in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hotrow.artifact.manifest import MANIFEST
from hotrow.errors import ArtifactError
from hotrow.layers.inference import Networks, for_inference
from hotrow.layers.inference.quantizable import quantizable_layers
from hotrow.models import RankingModel

_SCALES: Final = (1e-30, 1e30)
"""Beyond these, products of scales are no longer float32."""


def pack_networks(folder: Path, model: RankingModel, networks: Networks) -> RankingModel:
    """Put layers for inference into a model, in place, and return it.

    Args:
        folder: of the artifact.
        model: as it was trained, in evaluation mode.
        networks: in which numbers its networks are computed.

    Raises:
        ArtifactError: names what does not fit the model, or is no quantisation.
        BackendUnavailableError: the networks cannot be computed so on this processor.
    """
    _require_fit(f"{folder / MANIFEST}: networks", model, networks)
    try:
        return for_inference(model, networks)
    except ValueError as error:
        raise ArtifactError(f"{folder}: int8 networks: {error}") from error


def _require_fit(place: str, model: RankingModel, networks: Networks) -> None:
    if bool(networks.inputs) != (networks.precision == "int8"):
        count = len(networks.inputs)
        raise ArtifactError(
            f"{place}: {count} inputs of int8 layers, and precision {networks.precision}: expected some with "
            "int8 and none with any other"
        )
    known = quantizable_layers(model)
    for name, form in networks.inputs.items():
        if name not in known:
            raise ArtifactError(
                f"{place}.inputs: the model has no layer {name!r} that can be int8; it has "
                f"{', '.join(known) or 'none'}"
            )
        if not _SCALES[0] <= form.scale <= _SCALES[1]:
            raise ArtifactError(
                f"{place}.inputs.{name}.scale: found {form.scale}, expected {_SCALES[0]} to {_SCALES[1]}"
            )
        if not 0 <= form.zero_point <= 255:
            raise ArtifactError(
                f"{place}.inputs.{name}.zero_point: found {form.zero_point}, expected 0 to 255"
            )
