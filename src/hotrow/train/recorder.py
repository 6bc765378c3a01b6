"""Everybody who is told what happens in a run, its own files first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from hotrow.progress import progress
from hotrow.train.bar import TrainingBar
from hotrow.train.events import Listener, Listeners
from hotrow.train.metrics_file import MetricsFile
from hotrow.train.progress import RunProgress
from hotrow.train.run_folder import RunFolder
from hotrow.train.tensorboard import TensorBoard


class Recorder(Listeners):
    """Tells several listeners, and knows how long ``metrics.jsonl`` is.

    Args:
        metrics: the run's metrics file.
        others: told after it.
    """

    def __init__(self, metrics: MetricsFile, *others: Listener) -> None:
        super().__init__(metrics, *others)
        self._metrics = metrics

    def flush(self) -> int:
        """Bring ``metrics.jsonl`` to the disk and return its length, in bytes."""
        return self._metrics.flush()


@contextmanager
def recording(
    folder: RunFolder,
    done: RunProgress,
    *,
    total: int,
    length: int,
    listener: Listener | None,
    show_progress: bool,
) -> Iterator[Recorder]:
    """Open a run's files and progress bar while the block runs.

    Args:
        folder: the run.
        done: how far it is.
        total: training rows of the whole run.
        length: bytes of ``metrics.jsonl`` that were written before; the rest is cut off.
        listener: told as well.
        show_progress: whether there is a bar.
    """
    with ExitStack() as stack:
        metrics = stack.enter_context(closing(MetricsFile(folder.metrics, length=length)))
        events = stack.enter_context(closing(TensorBoard(folder.path, first_step=done.step + 1)))
        shown = stack.enter_context(
            progress("train", total, "samples", completed=done.samples, show=show_progress)
        )
        yield Recorder(metrics, events, TrainingBar(shown), *([listener] if listener else []))
