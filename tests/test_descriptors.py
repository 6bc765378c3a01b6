from __future__ import annotations

import resource

import pytest

from hotrow.descriptors import allow_descriptors

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "limit"),
    [
        (1024, 4096, 4096, (4096, 4096)),
        (1024, 1 << 20, 8192, (8192, 1 << 20)),
        (1024, INFINITE, 8192, (8192, INFINITE)),
        (9000, 1 << 20, 8192, None),
        (INFINITE, INFINITE, 8192, None),
        (1024, 1024, 1024, None),
    ],
)
def test_as_many_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, limit: tuple[int, int] | None
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    assert allow_descriptors(8192) == allowed
    assert limits == ([] if limit is None else [limit])
