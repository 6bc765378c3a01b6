"""The part of a report that shows how training went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotrow.report import html
from hotrow.report.run import RunFacts, without_short_end
from hotrow.report.svg import Chart, Series, line_chart


@dataclass(frozen=True)
class _Curve:
    """A chart: where train and validation lines have its figure; empty for nowhere."""

    title: str
    train: tuple[str, ...]
    validation: tuple[str, ...]


_ALWAYS = (
    _Curve("Log loss", ("loss",), ("log_loss",)),
    _Curve("AUC", ("auc",), ("auc",)),
    _Curve("Normalised entropy", (), ("ne",)),
    _Curve("Auxiliary loss", ("aux_loss",), ()),
)


def curves(run: RunFacts) -> list[str]:
    """Return a chart of each figure that was measured."""
    at = run.exported_at()
    mark = (at, "exported") if at is not None else None
    parts = []
    for curve in (*_ALWAYS, *_of_rankings(run), *_of_tasks(run)):
        train = without_short_end(run.curve("train", *curve.train)) if curve.train else ()
        validation = run.curve("validation", "validation", *curve.validation) if curve.validation else ()
        series = (Series(name="train", points=train), Series(name="validation", points=validation))
        drawn = line_chart(Chart(title=curve.title, x_label="samples", series=series, mark=mark))
        if drawn:
            parts.append(html.figure(curve.title, drawn))
    if not parts:
        return [html.heading("Learning curves"), html.paragraph("Nothing was measured yet.")]
    note = (
        "Training rows are judged before the model learns from them; each point covers those since the last."
    )
    return [html.heading("Learning curves"), *parts, html.paragraph(note)]


def _of_rankings(run: RunFacts) -> Iterator[_Curve]:
    for name in _names(run, "ranking"):
        if name == "gauc" or name.startswith(("ndcg@", "hr@")):
            yield _Curve("Group AUC" if name == "gauc" else name.upper(), (), ("ranking", name))


def _of_tasks(run: RunFacts) -> Iterator[_Curve]:
    for name in _names(run, "tasks"):
        yield _Curve(f"AUC of {name}", ("tasks", name, "auc"), ("tasks", name, "auc"))


def _names(run: RunFacts, field: str) -> tuple[str, ...]:
    """Return the names of what the validations hold in a field."""
    validations = (line.get("validation") for line in run.lines if line.get("kind") == "validation")
    found = [each.get(field) for each in validations if isinstance(each, Mapping)]
    return tuple(dict.fromkeys(str(name) for each in found if isinstance(each, Mapping) for name in each))
