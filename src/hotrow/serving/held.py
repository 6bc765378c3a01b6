"""Memory that the bodies of all requests take together in the front process, bounded."""

from __future__ import annotations

from hotrow.errors import RequestError


class Held:
    """Bytes of bodies, of HTTP and gRPC, from when they come until their requests have ended.

    Args:
        most: bytes at a time.

    Attributes:
        bytes: now.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, size: int) -> None:
        """Count ``size`` bytes more.

        Raises:
            RequestError: they would be more than may be held (503); they are not counted.
        """
        if self.bytes + size > self._most:
            raise RequestError("the bodies of other requests take all memory, try again later", status=503)
        self.bytes += size

    def give_back(self, size: int) -> None:
        """Count ``size`` bytes less."""
        self.bytes -= size
