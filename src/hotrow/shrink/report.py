"""What a shrunk model is, beside the one it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotrow.artifact import Artifact
from hotrow.config import to_mapping
from hotrow.files import tree_bytes
from hotrow.kernels.row_formats import RowFormat, row_bytes
from hotrow.layers.inference import Precision
from hotrow.layers.inference.calibration import Calibration
from hotrow.metrics import Evaluation
from hotrow.shrink.config import ShrinkConfig


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """One table before and after.

    Attributes:
        name: the feature it embeds.
        rows: E.
        width: D.
        format_before: how it was stored.
        format: how it is stored now.
        bytes_before: its size before.
        bytes_after: its size now.
    """

    name: str
    rows: int
    width: int
    format_before: RowFormat
    format: RowFormat
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """The quality on one split.

    Attributes:
        before: of the model as it was.
        after: of the shrunk model.
        auc_loss: AUC before less AUC after.
        auc_loss_error: standard error of that, after DeLong: how much it may differ on other rows.
        kept: whether the loss is at most what was promised.
    """

    before: Evaluation
    after: Evaluation
    auc_loss: float
    auc_loss_error: float
    kept: bool


@dataclass(frozen=True, kw_only=True)
class ShrinkReport:
    """The result of ``shrink``, also in ``shrink.json``.

    Attributes:
        run: the shrunk run.
        source: the run it was made from.
        dataset: the data set that both were judged on.
        bits: what was asked for: ``8``, ``4``, ``2`` or ``auto``.
        max_auc_loss: the promise.
        kept: whether it is kept on the test split, on rows that took no part in the choice, and on the
            validation split.
        bytes_before: size of the model's folder before: tables, networks, vocabularies.
        bytes_after: its size now.
        table_bytes_before: size of the tables before.
        table_bytes_after: their size now.
        networks_before: in which numbers the networks were computed.
        networks: in which they are now.
        networks_reason: what decided, where ``auto`` was asked for; or empty.
        int8_layers: the networks' layers that are int8.
        calibration: what decided the ranges of their inputs; None without such layers.
        auc_before: test AUC before.
        auc_after: test AUC now.
        auc_loss: the difference.
        auc_loss_error: its standard error.
        split: ``test``.
        rows: of the test split.
        judged: choices of formats and networks that were judged on the validation split.
        seconds: time it took.
        test: all metrics on the test split.
        validation: likewise on the validation split; None when it is empty.
        tables: one by one.
    """

    run: str
    source: str
    dataset: str
    bits: str
    max_auc_loss: float
    kept: bool
    bytes_before: int
    bytes_after: int
    table_bytes_before: int
    table_bytes_after: int
    networks_before: Precision
    networks: Precision
    networks_reason: str
    int8_layers: tuple[str, ...]
    calibration: Calibration | None
    auc_before: float
    auc_after: float
    auc_loss: float
    auc_loss_error: float
    split: str
    rows: int
    judged: int
    seconds: float
    test: SplitReport
    validation: SplitReport | None
    tables: tuple[TableReport, ...]

    def to_mapping(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        return to_mapping(self)


def make_report(
    before: Artifact,
    after: Artifact,
    config: ShrinkConfig,
    *,
    run: str,
    source: str,
    dataset: str,
    bytes_after: int,
    judged: int,
    calibration: Calibration | None,
    networks_reason: str,
    seconds: float,
    test: SplitReport,
    validation: SplitReport | None,
) -> ShrinkReport:
    """Put the report together; the arguments are its fields, ``before`` and ``after`` the two models."""
    tables = _tables(before, after)
    assert test.before.auc is not None
    assert test.after.auc is not None
    return ShrinkReport(
        run=run,
        source=source,
        dataset=dataset,
        bits=config.bits,
        max_auc_loss=config.max_auc_loss,
        kept=test.kept and (validation is None or validation.kept),
        bytes_before=tree_bytes(before.path),
        bytes_after=bytes_after,
        table_bytes_before=sum(table.bytes_before for table in tables),
        table_bytes_after=sum(table.bytes_after for table in tables),
        networks_before=before.networks.precision,
        networks=after.networks.precision,
        networks_reason=networks_reason,
        int8_layers=tuple(after.networks.inputs),
        calibration=calibration,
        auc_before=test.before.auc,
        auc_after=test.after.auc,
        auc_loss=test.auc_loss,
        auc_loss_error=test.auc_loss_error,
        split="test",
        rows=test.after.rows,
        judged=judged,
        seconds=seconds,
        test=test,
        validation=validation,
        tables=tables,
    )


def _tables(before: Artifact, after: Artifact) -> tuple[TableReport, ...]:
    return tuple(
        TableReport(
            name=old.name,
            rows=old.rows,
            width=old.width,
            format_before=old.format,
            format=new.format,
            bytes_before=old.rows * row_bytes(old.format, old.width),
            bytes_after=new.rows * row_bytes(new.format, new.width),
        )
        for old, new in zip(before.config.tables, after.config.tables, strict=True)
    )
