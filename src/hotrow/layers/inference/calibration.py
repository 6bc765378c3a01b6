"""How the inputs of int8 layers are quantised: from what they are on given rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from hotrow.layers.inference.networks import Quantization

Calibration = Literal["largest", "least-error", "percentile"]
"""What decides the range of 8 bits: the largest values met; the least mean squared error; or all but one
value in 10,000."""

BINS: Final = 2048
SHARE: Final = 1e-4
_CUTS: Final = 100  # ranges that are tried for the least error

Batches = Callable[[], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Histogram:
    """What a layer's inputs were.

    Attributes:
        low: the least value; at most 0.
        high: the largest; at least 0.
        counts: how many values fell in each of ``BINS`` equal parts of the range.
    """

    low: float
    high: float
    counts: Tensor

    @property
    def centres(self) -> Tensor:
        """The middle of each bin, (BINS,) float64."""
        width = (self.high - self.low) / BINS
        return self.low + width * (torch.arange(BINS, dtype=torch.float64) + 0.5)


def observe(model: nn.Module, layers: Mapping[str, nn.Linear], batches: Batches) -> dict[str, Histogram]:
    """Return histograms of the layers' inputs; the model runs twice over all batches.

    Args:
        model: in evaluation mode, with its layers of training.
        layers: of the model, by name.
        batches: returns the batches that the model is called with, the same each time.
    """
    ends = dict.fromkeys(layers, (0.0, 0.0))
    counts = {name: torch.zeros(BINS, dtype=torch.float64) for name in layers}

    def widen(name: str, x: Tensor) -> None:
        if x.numel():
            least, largest = x.aminmax()
            ends[name] = (min(ends[name][0], float(least)), max(ends[name][1], float(largest)))

    def count(name: str, x: Tensor) -> None:
        low, high = ends[name]
        if low < high:
            counts[name] += torch.histc(x.float(), BINS, min=low, max=high).double()

    for look in (widen, count):
        with _watched(layers, look), torch.no_grad():
            for batch in batches():
                model(batch)
    return {name: Histogram(*ends[name], counts[name]) for name in layers}


def quantization(found: Histogram, calibration: Calibration) -> Quantization:
    """Return how inputs that were so are quantised."""
    low, high = found.low, found.high
    if not found.counts.any():
        return Quantization(scale=1.0, zero_point=0)
    if calibration == "percentile":
        low, high = _without_tails(found)
    elif calibration == "least-error":
        share = _best_share(found)
        low, high = low * share, high * share
    scale = (high - low) / 255
    return Quantization(scale=scale, zero_point=round(-low / scale))


def _without_tails(found: Histogram) -> tuple[float, float]:
    """Return the range without the outermost values, ``SHARE`` of all."""
    shares = found.counts / found.counts.sum()
    until = shares.cumsum(0)
    kept = found.centres[(until >= SHARE / 2) & (until - shares <= 1 - SHARE / 2)]
    return min(float(kept.min()), 0.0), max(float(kept.max()), 0.0)


def _best_share(found: Histogram) -> float:
    """Return which share of the range has the least mean squared error of rounding and clipping."""
    shares = torch.arange(1, _CUTS + 1, dtype=torch.float64) / _CUTS
    errors = [_error(found, float(share)) for share in shares]
    return float(shares[int(torch.tensor(errors).argmin())])


def _error(found: Histogram, share: float) -> float:
    low, high = found.low * share, found.high * share
    clipped = (found.centres - found.centres.clamp(low, high)).square()
    rounded = ((high - low) / 255) ** 2 / 12
    return float((found.counts * torch.where(clipped > 0, clipped, rounded)).sum())


@contextmanager
def _watched(layers: Mapping[str, nn.Linear], look: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Show the inputs of layers to a function whenever they run."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, inputs: look(name, inputs[0])

    handles = [layer.register_forward_pre_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
