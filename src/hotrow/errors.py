"""Every exception hotrow raises on purpose.

    HotrowError
    ├── UserError              the user can mend it: exit status 2, one line, no traceback
    │   ├── ConfigError        a configuration field: names field, value and what was expected
    │   ├── DataError          input data: names file, line and column
    │   ├── SchemaMismatchError  two things that must agree (data set, model, artifact) do not
    │   ├── ArtifactError      a served model that is missing, cut short or altered
    │   ├── CheckpointError    a checkpoint that is missing, cut short or altered
    │   ├── MissingFileError   a file or folder that should exist
    │   ├── OutputExistsError  an output that would be overwritten
    │   ├── StorageError       the disk is full or refuses to be written
    │   ├── DivergedError      a model whose outputs or loss stopped being finite numbers
    │   │   └── NonFiniteGradientError  a gradient that reached an embedding table
    │   ├── RequestError     a request to the server that cannot be answered as it is
    │   ├── InvalidLoadError  a load run whose figures would not be what they say
    │   └── BackendUnavailableError  a backend was asked for by name and is not there
    ├── SoftErrorDetected      memory or arithmetic gave a wrong number: exit status 1
    └── InternalError          a defect in hotrow: exit status 1

Messages are one line, say what was found and what was expected, and where it helps what to do.
"""

from __future__ import annotations

from pathlib import Path


class HotrowError(Exception):
    """Base of every exception raised on purpose by hotrow."""


class UserError(HotrowError):
    """Something the user can mend; the command line exits with status 2."""


class ConfigError(UserError):
    """A configuration value outside what is allowed.

    Args:
        field: dotted name of the field, e.g. ``"train.batch_size"``.
        value: what was given; None: nothing.
        expected: what would have been accepted, as a phrase.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field = field
        self.value = value
        self.expected = expected
        found = "missing" if value is None else f"got {value!r}"
        super().__init__(f"{field}: {found}, expected {expected}")


class DataError(UserError):
    """Input data that cannot be used.

    Args:
        file: the file it was found in.
        reason: what was found and what was expected.
        line: 1-based line number, when known.
        column: column name, when known.
    """

    def __init__(
        self,
        file: str | Path,
        reason: str,
        *,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        self.file = str(file)
        self.reason = reason
        self.line = line
        self.column = column
        place = self.file
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column}"
        super().__init__(f"{place}: {reason}")


class SchemaMismatchError(UserError):
    """Two things that must agree on their features (data set, model, artifact) do not."""


class ArtifactError(UserError):
    """A model artifact that is missing, cut short or altered."""


class CheckpointError(UserError):
    """A checkpoint that is missing, cut short or altered."""


class MissingFileError(UserError):
    """A file or folder that should exist does not."""

    def __init__(self, path: str | Path, expected: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: not found, expected {expected}")


class OutputExistsError(UserError):
    """An output is in the way."""

    def __init__(self, path: str | Path, remedy: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: already exists; {remedy}")


class StorageError(UserError):
    """The disk is full, or the target cannot be written."""


class DivergedError(UserError):
    """A model whose outputs or loss stopped being finite numbers."""


class NonFiniteGradientError(DivergedError):
    """A gradient that is NaN or infinite reached an embedding table; the table is as it was.

    Args:
        feature: the feature it came by.
        table: the table it was for.
    """

    def __init__(self, feature: str, table: str) -> None:
        self.feature = feature
        self.table = table
        super().__init__(
            f"table {table}: the gradient by feature {feature} is NaN or infinite; "
            "lower the learning rate or look at the loss and the inputs"
        )


class BackendUnavailableError(UserError):
    """A backend was asked for by name and is not available in this installation."""


class RequestError(UserError):
    """A request to the server that cannot be answered as it is.

    Args:
        message: what was found and what was expected; it is sent to the client.
        status: HTTP status of the answer.
        retry_after: seconds after which it may be sent again; None: nobody knows.
    """

    def __init__(self, message: str, *, status: int = 400, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(message)


class InvalidLoadError(UserError):
    """A load run whose figures would not be what they say: the generator lagged, or nothing was answered."""


class SoftErrorDetected(HotrowError):  # noqa: N818  # an event, named as the literature does
    """A lookup that does not agree with its table's checksums: a bit has flipped in memory or in arithmetic.

    What was looked up must not be used. A server should load its artifact again; where that does not help,
    the machine is faulty.

    Args:
        feature: the feature that was looked up.
        table: its table.
        example: position in the batch.
    """

    def __init__(self, feature: str, table: str, example: int) -> None:
        self.feature = feature
        self.table = table
        self.example = example
        super().__init__(
            f"table {table}: the lookup of example {example} by feature {feature} does not agree with the "
            "checksums of its rows; the table's memory or the computation is faulty: load the artifact "
            "again, and if it comes back use another machine"
        )


class InternalError(HotrowError):
    """A defect in hotrow; the command line exits with status 1."""
