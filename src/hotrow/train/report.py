"""What a finished run reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hotrow.config import to_mapping
from hotrow.metrics import Evaluation
from hotrow.train.origin import Origin
from hotrow.train.phases import Phases
from hotrow.train.roofline import Roofline


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """The result of a run, also in ``result.json``.

    Attributes:
        samples: training rows seen, counted again in every epoch.
        samples_per_second: ``samples`` over the time spent training, without validation and checkpoints.
        epochs: passes over the training split that were made, whole or in part.
        validation: of the exported model on all validation rows; None when there are none.
        test: likewise on all test rows.
        run: the run's folder.
        steps: batches trained on.
        seconds: time spent training, over all resumes.
        best_step: the step whose weights were exported.
        stopped_early: whether validation ran out of patience before all epochs were done.
        corrected_odds: what the odds of each task are multiplied by to be those of the data, see
            ``hotrow.models.Correction``; empty where they are as they were learnt.
        started_from: the run whose weights were the first; None where they were drawn.
        phases: what ``seconds`` were spent on; None in runs of earlier versions.
        roofline: how near that is to what the machine can do; None where training took less than
            ``hotrow.train.finish.LEAST_SECONDS``, or where it cannot be measured.
        peak_rss_mib: largest resident memory of the process, before the model was judged; 0 in runs of
            earlier versions.
    """

    samples: int
    samples_per_second: float
    epochs: float
    validation: Evaluation | None
    test: Evaluation | None
    run: str
    steps: int
    seconds: float
    best_step: int
    stopped_early: bool
    corrected_odds: tuple[float, ...] = ()
    started_from: Origin | None = None
    phases: Phases | None = None
    roofline: Roofline | None = None
    peak_rss_mib: float = 0.0

    def phase_shares(self) -> dict[str, float]:
        """Return the phases' shares of ``seconds``, and as ``other`` what the loop itself took."""
        if self.phases is None or not self.seconds:
            return {}
        spent = asdict(self.phases) | {"other": max(self.seconds - self.phases.total, 0.0)}
        return {name: seconds / self.seconds for name, seconds in spent.items()}

    def roofline_shares(self) -> dict[str, float]:
        """Return the shares of what the machine can do, by phase; empty where they were not measured."""
        if self.roofline is None:
            return {}
        return {name: value for name, value in asdict(self.roofline).items() if name != "ceilings"}

    def to_mapping(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        judged = {"validation": self.validation, "test": self.test}
        splits = {name: None if found is None else found.to_mapping() for name, found in judged.items()}
        return to_mapping(self) | {"corrected_odds": list(self.corrected_odds)} | splits
