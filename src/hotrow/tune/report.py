"""What tuning found, as the command tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotrow.load.validity import LAG_FLOOR_S, LAG_SHARE
from hotrow.scheduling.confirm import Ending
from hotrow.scheduling.tuned import Contender, Tuned

_LAGGED = "; that is part of the latencies, so rates are understated"


_DOUBTS: dict[Ending, str] = {
    "held": "it held again, in too short a time to be sure",
    "failed": "it failed when it was measured again",
    "unfinished": "not measured again within the time given",
}


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
        accelerator: "none", the device, or the modelled one, whose figures are modelled, never measured.
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

    @property
    def found(self) -> bool:
        """Whether a setting held at some rate."""
        return self.tuned.best.qps > 0

    @property
    def target(self) -> str:
        """As people write it."""
        return f"p{self.tuned.percentile:g} <= {self.tuned.sla_ms:g} ms"

    @property
    def is_lagging(self) -> bool:
        """Whether the generator's delay blurs the latencies, which contain it: rates are understated then."""
        return self.lag_ms > max(LAG_FLOOR_S * 1e3, LAG_SHARE * self.tuned.sla_ms)

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
            "generator_lagged": self.is_lagging,
            "seconds": self.seconds,
            **self.tuned.to_json(),
        }

    def facts(self) -> dict[str, object]:
        """Return what a person wants to know, by name."""
        measured_s = sum(step.seconds for step in self.tuned.history)
        facts: dict[str, object] = {
            "target": self.target,
            "best": self._best(),
            "queries sent through": {"engine": "the engine alone", "http": "HTTP, clients on this machine"}[
                self.over
            ],
            "accelerator": self.accelerator,
        }
        if self.found:
            facts |= self._found_facts()
        return facts | {
            "measurements": len(self.tuned.history),
            "candidates from": "a Zipf law: synthetic" if self.source == "synthetic" else self.source,
            "seconds": f"{self.seconds:.1f}, of them {measured_s:.1f} of measuring",
        }

    def _best(self) -> str:
        best = self.tuned.best
        if not self.found:
            return "none: no setting held at any rate tried"
        return f"{best.knobs}{'' if best.confirmed else f' ({_DOUBTS[best.ending]})'}"

    def _found_facts(self) -> dict[str, object]:
        tuned = self.tuned
        facts = _figures(tuned.best)
        for name, title in (("static_25", "static batch of 25"), ("static_whole", "static whole queries")):
            gain = tuned.gain_over(name)
            other = next(contender for contender in tuned.contenders if contender.name == name)
            facts[f"{title}, queries/s"] = other.qps
            facts[f"  gain over {title}"] = "it held at no rate tried" if gain is None else f"{gain:.2f}"
        facts["generator's own lag, ms"] = f"{self.lag_ms:.2f} (99%){_LAGGED if self.is_lagging else ''}"
        return facts


def _figures(best: Contender) -> dict[str, object]:
    latencies = (best.p50_ms, best.p95_ms, best.p99_ms)
    shown = " / ".join("late" if ms is None else f"{ms:.1f}" for ms in latencies)
    was_measured = best.items_per_second is not None
    return {
        "queries/s": best.qps,
        "candidates/s": best.items_per_second if was_measured else "not confirmed",
        "p50 / p95 / p99, ms": shown if was_measured else "not confirmed",
    }
