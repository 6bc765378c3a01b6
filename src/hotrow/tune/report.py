"""What tuning found, as the command tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotrow.scheduling.tuned import Contender, Tuned


@dataclass(frozen=True, kw_only=True)
class TuneReport:
    """The result and what it was found with.

    Attributes:
        tuned: the best setting, the static schedulers, and every measurement.
        model: name of the model.
        workers: processes that scored.
        sizes: of queries.
        source: where candidates came from; "synthetic" for made-up ids.
        over: what queries went through, "engine" or "http".
        accelerator: "none", or what the modelled one is; its figures are modelled, never measured.
        lag_ms: how late the generator was, 99th percentile of the worst trial; latencies contain it.
        seconds: that tuning took.
    """

    tuned: Tuned
    model: str
    workers: int
    sizes: str
    source: str
    over: str
    accelerator: str
    lag_ms: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {
            "model": self.model,
            "workers": self.workers,
            "sizes": self.sizes,
            "source": self.source,
            "is_synthetic": self.source == "synthetic",
            "over": self.over,
            "accelerator": self.accelerator,
            "generator_lag_ms": self.lag_ms,
            "seconds": self.seconds,
            **self.tuned.to_json(),
        }

    def facts(self) -> dict[str, object]:
        """Return what a person wants to know, by name."""
        tuned, best = self.tuned, self.tuned.best
        facts: dict[str, object] = {
            "target": f"p{tuned.percentile:g} <= {tuned.sla_ms:g} ms",
            "best": f"{best.knobs}{'' if best.confirmed else ' (not confirmed within the time given)'}",
            "queries sent through": {"engine": "the engine alone", "http": "HTTP, clients on this machine"}[
                self.over
            ],
            "accelerator": self.accelerator,
            **_figures(best),
        }
        for name, title in (("static_25", "static batch of 25"), ("static_whole", "static whole queries")):
            gain = tuned.gain_over(name)
            other = next(contender for contender in tuned.contenders if contender.name == name)
            facts[f"{title}, queries/s"] = other.qps
            facts[f"  gain over {title}"] = "it held at no rate tried" if gain is None else f"{gain:.2f}"
        facts["measurements"] = len(tuned.history)
        facts["candidates from"] = "a Zipf law: synthetic" if self.source == "synthetic" else self.source
        facts["generator's own lag, ms"] = f"{self.lag_ms:.2f} (99%)"
        facts["seconds"] = self.seconds
        return facts


def _figures(best: Contender) -> dict[str, object]:
    latencies = (best.p50_ms, best.p95_ms, best.p99_ms)
    shown = " / ".join("late" if ms is None else f"{ms:.1f}" for ms in latencies)
    return {
        "queries/s": best.qps,
        "candidates/s": best.items_per_second if best.items_per_second is not None else "not confirmed",
        "p50 / p95 / p99, ms": shown,
    }
