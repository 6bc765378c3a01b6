"""What one request may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from hotrow.errors import ConfigError, RequestError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on requests, so that no client can make the server run out of memory.

    Attributes:
        max_body_bytes: longest request body; a longer one is answered with 413.
        max_held_bytes: of the bodies of all requests that have not ended, together; one that would need
            more is answered with 503.
        max_rows: most rows (candidates) of one request.
        max_listed_ids: most ids that the list features of all its rows have together, as they are looked up:
            a history in the context counts for every candidate, of a longer one its last ``max_length`` ids.
        max_tensors: most inputs of one request, and most outputs that it asks for.
        max_dimensions: most dimensions of one input's shape.
        max_parameters: most parameters of one request, and of each input and output.
        max_json_bytes: longest JSON of one inference request, apart from the data of its inputs.
    """

    max_body_bytes: int = 16 * 1024**2
    max_held_bytes: int = 256 * 1024**2
    max_rows: int = 16_384
    max_listed_ids: int = 4_194_304
    max_tensors: int = 1024
    max_dimensions: int = 8
    max_parameters: int = 64
    max_json_bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ConfigError(f"limits.{field.name}", getattr(self, field.name), "at least 1")
        if self.max_held_bytes < self.max_body_bytes:
            expected = f"at least max_body_bytes, {self.max_body_bytes}"
            raise ConfigError("limits.max_held_bytes", self.max_held_bytes, expected)

    def require_small(self, request: Any) -> None:
        """Refuse an inference request of too many inputs, outputs, parameters or dimensions.

        Args:
            request: of HTTP or of gRPC, with the protocol's names: inputs, outputs, parameters, shape.

        Raises:
            RequestError: it has more than are allowed.
        """
        outputs = request.outputs or ()
        _require("", len(request.inputs), "inputs", self.max_tensors)
        _require("", len(outputs), "outputs", self.max_tensors)
        parts = [("request", request)]
        parts += [(f"input {tensor.name}", tensor) for tensor in request.inputs]
        parts += [(f"output {output.name}", output) for output in outputs]
        for where, part in parts:
            _require(f"{where}: ", len(getattr(part, "shape", ())), "dimensions", self.max_dimensions)
            _require(f"{where}: ", len(part.parameters), "parameters", self.max_parameters)

    @property
    def max_fields(self) -> int:
        """Most fields of a message of gRPC within these bounds: inputs, their bytes, outputs, the rest."""
        return 3 * self.max_tensors + self.max_parameters + 3


def _require(where: str, count: int, what: str, most: int) -> None:
    if count > most:
        raise RequestError(f"{where}{count} {what}, at most {most} are allowed")
