"""Models at the size they were published with: do they fit into this machine, and do they run?

    python -m tests.models.paper_size            # all of them
    python -m tests.models.paper_size dlrm-rmc1

Each runs in a process of its own: the model is built, its tables filled, and one batch of 64 goes
forward and backward, with as many ids in each list as published, drawn uniformly.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

PAPER_SIZES = (
    *("dlrm-rmc1", "dlrm-rmc2", "dlrm-rmc3", "ncf-paper"),
    *("wide-deep-paper", "mt-wide-deep-paper", "din-paper", "dien-paper"),
)
"""The eight models of DeepRecSys at its sizes."""

BATCH_SIZE = 64
_ONE = "--one"


def measure(name: str) -> dict[str, Any]:
    """Run one preset in another process and return what was measured.

    Returns:
        ``table_gb`` 1e9 bytes of tables, ``peak_rss_gib``, ``build_seconds`` for the model with its tables,
        ``step_seconds`` for forward, backward and the tables' update, ``logits`` and ``is_finite``.

    Raises:
        subprocess.CalledProcessError: it failed, or was killed for want of memory.
    """
    command = [sys.executable, "-m", "tests.models.paper_size", _ONE, name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _run(name: str) -> dict[str, Any]:
    import torch
    from tests.conformance.batches import make_full_batch
    from tests.conformance.building import build, loss_of

    from hotrow.models import paper_inputs, preset

    inputs = paper_inputs(name)
    config = preset(name, inputs)
    started = time.perf_counter()
    model = build(name, config, table_lr=0.01)
    built = time.perf_counter()
    batch = make_full_batch(inputs, BATCH_SIZE)
    drawn = time.perf_counter()
    loss_of(model, batch).backward()  # type: ignore[no-untyped-call]
    stepped = time.perf_counter()
    with torch.no_grad():
        logits = model.eval()(batch)
    return {
        "preset": name,
        "table_gb": config.facts().table_bytes / 1e9,
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "build_seconds": built - started,
        "step_seconds": stepped - drawn,
        "logits": logits.numel(),
        "is_finite": bool(logits.isfinite().all()),
    }


def _main(names: list[str]) -> None:
    if names[:1] == [_ONE]:
        print(json.dumps(_run(names[1])))
        return
    print(f"{'preset':<20} {'tables GB':>9} {'peak GiB':>9} {'build s':>8} {'step s':>7}")
    for name in names or PAPER_SIZES:
        found = measure(name)
        print(
            f"{name:<20} {found['table_gb']:9.3f} {found['peak_rss_gib']:9.2f} "
            f"{found['build_seconds']:8.1f} {found['step_seconds']:7.3f}"
        )


if __name__ == "__main__":
    _main(sys.argv[1:])
