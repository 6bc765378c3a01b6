"""The live page and what it asks for every second."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from hotrow.serving.front import Front
from hotrow.serving.live.seconds import KEPT_SECONDS, RECENT_SECONDS

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""The page brings all it needs, and may load nothing but the figures."""


@cache
def page() -> bytes:
    """Return the page, which is the same for every server."""
    return files("hotrow.serving.live").joinpath("page.html").read_bytes()


def live(front: Front) -> dict[str, Any]:
    """Return the last seconds and what they belong to."""
    info = front.info if front.engine.loaded else None
    return {
        "model": info and info.name,
        "version": info and info.version,
        "state": front.engine.state,
        "sla_ms": front.engine.sla_ms,
        "kept_seconds": KEPT_SECONDS,
        "recent_seconds": RECENT_SECONDS,
        **front.last_seconds.described(),
    }
