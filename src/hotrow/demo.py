"""``make demo``: the main job from nothing, on generated data, with the commands a user would type."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hotrow.cli._frame import table
from hotrow.files import tree_bytes
from hotrow.units import format_bytes

RANKED_ROWS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate a log, prepare, train, evaluate, rank and report; print the summary."""
    parser = argparse.ArgumentParser(prog="python -m hotrow.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything that is made")
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the generated log")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    out: Path = options.out
    log, data, run, page = out / "log.tsv", out / "data", out / "run", out / "report.html"

    synth = _hotrow("synth", "criteo", "--rows", options.rows, "--seed", options.seed, "--out", log)
    prepared = _hotrow("prepare", "criteo", log, "--out", data, "--overwrite")
    trained = _hotrow("train", data, "--model", "dlrm", "--out", run, "--seed", options.seed, "--overwrite")
    tested = _hotrow("evaluate", run, "--split", "test")
    ranked = _hotrow("rank", run, _unlabelled(log, out / "unlabelled.tsv"))
    report = _hotrow("report", run, "--out", page)

    summary = {
        "rows": prepared["rows"],
        "oracle AUC (the truth itself)": synth["oracle_auc"],
        "learnable AUC (the ceiling)": synth["learnable_auc"],
        "test AUC": tested["auc"],
        "test log loss": tested["log_loss"],
        "test NE": tested["ne"],
        "prepare, rows/s": prepared["rows_per_second"],
        "train, samples/s": trained["samples_per_second"],
        "artifact": format_bytes(tree_bytes(run / "model")),
        "rows ranked": ranked["rows"],
        "best of them": ", ".join(_best(ranked["scores"])),
        "report": report["path"],
    }
    sys.stdout.write("\n" + table("hotrow demo", summary) + "\n")
    sys.stdout.write(f"\nServe it:  hotrow serve {run}\n")
    return 0


def _hotrow(*words: object) -> dict[str, Any]:
    """Show and run one command; return its JSON object."""
    command = [str(word) for word in words]
    sys.stderr.write(f"$ hotrow {' '.join(command)}\n")
    run = subprocess.run(
        [sys.executable, "-m", "hotrow", *command, "--json"], stdout=subprocess.PIPE, check=False
    )
    if run.returncode != 0:
        raise SystemExit(run.returncode)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def _unlabelled(log: Path, target: Path) -> Path:
    """Write the first rows of ``log`` without their label, as rows to be ranked arrive."""
    with log.open() as labelled, target.open("w") as unlabelled:
        unlabelled.writelines(line.partition("\t")[2] for line in islice(labelled, RANKED_ROWS))
    return target


def _best(scores: Sequence[float], count: int = 3) -> list[str]:
    order = sorted(range(len(scores)), key=lambda row: -scores[row])
    return [f"row {row + 1} ({scores[row]:.3f})" for row in order[:count]]


if __name__ == "__main__":
    sys.exit(main())
