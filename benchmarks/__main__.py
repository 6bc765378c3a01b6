"""``python -m benchmarks SUITE...``: test first, then measure, then write the results.

A suite whose correctness tests are red is not run: a fast wrong answer is no result.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks._green import fingerprint, is_green, note_green
from benchmarks._machine import facts
from benchmarks._tables import markdown
from benchmarks.registry import SUITES, Suite

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the suites named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "suites", nargs="+", choices=[*SUITES, "all"], metavar="SUITE", help=f"{', '.join(SUITES)} or all"
    )
    names = parser.parse_args().suites
    for name in _that_run_here() if "all" in names else names:
        reason = SUITES[name].obstacle()
        if reason is None and not _tests_pass(SUITES[name].tests):
            reason = "the tests of what it times are red"
        if reason is not None:
            sys.stderr.write(f"benchmark {name}: refused, {reason}\n")
            return 1
        _write(name, SUITES[name], importlib.import_module(SUITES[name].module).run())
    return 0


def _that_run_here() -> list[str]:
    reasons = {name: suite.obstacle() for name, suite in SUITES.items()}
    for name, reason in reasons.items():
        if reason is not None:
            sys.stderr.write(f"benchmark {name}: left out, {reason}\n")
    return [name for name, reason in reasons.items() if reason is None]


def _tests_pass(tests: tuple[str, ...]) -> bool:
    """Return whether tests are green; those that were, of this very code, are not run again."""
    code = fingerprint()
    if is_green(code, tests):
        sys.stderr.write(f"green before, of the same code: {' '.join(tests)}\n")
        return True
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", *tests]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        return False
    note_green(code, tests)
    return True


def _write(name: str, suite: Suite, result: Mapping[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    machine = facts()
    record = {"suite": name, "measures": suite.measures, "machine": machine, "result": result}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    lines = [
        f"# {name}",
        "",
        f"{suite.measures[0].upper()}{suite.measures[1:]}. Made by `make bench-{name}` on {machine['date']}, "
        f"commit {machine['commit']}, {machine['cores']} cores of {machine['cpu']}.",
        "",
        *markdown(result),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    sys.stdout.write(text)


sys.exit(main())
