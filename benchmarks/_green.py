"""Remembers which tests were green for which code, so that suites do not repeat them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_CODE = ("src", "tests", "csrc", "pyproject.toml", "constraints.txt", "CMakeLists.txt")
_FILE = _ROOT / "build" / "green-tests.json"


def fingerprint() -> str:
    """Return a digest of the code and its tests as they are in the working tree; empty outside git."""
    listed = _git("ls-files", "--stage", "--", *_CODE)
    changed = _git("diff", "HEAD", "--", *_CODE)
    others = _git("ls-files", "--others", "--exclude-standard", "--", *_CODE)
    if listed is None or changed is None or others is None:
        return ""
    contents = b"".join((_ROOT / name).read_bytes() for name in others.decode().splitlines())
    return hashlib.sha256(b"\0".join((listed, changed, others, contents))).hexdigest()


def is_green(code: str, tests: tuple[str, ...]) -> bool:
    """Return whether tests were green for this code."""
    return bool(code) and list(tests) in _read().get(code, [])


def note_green(code: str, tests: tuple[str, ...]) -> None:
    """Remember that tests were green; of earlier code nothing is kept."""
    if code:
        known = _read().get(code, [])
        _FILE.parent.mkdir(exist_ok=True)
        _FILE.write_text(json.dumps({code: [*known, list(tests)]}))


def _read() -> dict[str, list[list[str]]]:
    try:
        found: dict[str, list[list[str]]] = json.loads(_FILE.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _git(*words: str) -> bytes | None:
    try:
        return subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
