"""What every sub-command shares: the common options, printing a result, exit statuses.

A sub-command's file parses, calls one library function and prints; it imports heavy packages
inside its function, so that ``hotrow --help`` stays fast.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from hotrow.descriptors import is_too_much_open
from hotrow.errors import ConfigError, UserError

EXIT_OK = 0
EXIT_DEFECT = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130

_USAGE_ERROR = next(
    kind
    for kind in typer.BadParameter.__mro__
    if issubclass(kind, Exception) and kind.__name__ == "ClickException"
)
"""Base of what typer raises for wrong arguments; newer versions carry a click of their own."""

_NO_MEMORY = re.compile(r"(?:DefaultCPUAllocator|Storage size calculation overflowed).*")
"""What torch says, in a RuntimeError, where a tensor does not fit into the memory."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done to standard error.")]


def set_up_logging(verbose: bool) -> None:
    """Send logs to standard error: warnings always, everything with ``-v``."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", force=True
    )


def show(result: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print a command's result: the JSON object when asked for, else ``text``."""
    sys.stdout.write((json.dumps(result) if as_json else text) + "\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Write to standard error; where it cannot be written, as on a full disk, nobody is told."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


@contextlib.contextmanager
def naming_options(*fields: str) -> Iterator[None]:
    """Let errors about fields of a configuration name their options: of ``drain_seconds`` ``--drain-s``."""
    try:
        yield
    except ConfigError as error:
        name = error.field.rpartition(".")[2]
        if name not in fields:
            raise
        option = "--" + name.replace("_seconds", "_s").replace("_", "-")
        raise ConfigError(option, error.value, error.expected) from error


def table(title: str, rows: Mapping[str, object]) -> str:
    """Lay out names and values in two aligned columns under a title."""
    width = max((len(name) for name in rows), default=0)
    lines = [title, *(f"  {name:<{width}}  {_shown(value)}" for name, value in rows.items())]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else str(value)


def run(application: Callable[[], object]) -> int:
    """Call the command line application and turn what it raises into an exit status."""
    try:
        status = application()  # typer returns the status of --help (0) and of Ctrl-C (130)
    except UserError as error:
        return _complain(str(error))
    except _USAGE_ERROR as error:
        return _complain(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        return EXIT_OK  # the reader of our output went away; nothing is left to say
    except OSError as error:
        if is_too_much_open(error):
            return _complain("too many open files; raise the limit (ulimit -n)")
        if error.filename is None:
            return _defect()
        return _complain(f"{error.filename}: {error.strerror}")
    except MemoryError as error:
        return _complain(f"not enough memory ({error})")
    except Exception as error:  # noqa: BLE001 - the last resort of the process
        found = _NO_MEMORY.search(str(error)) if isinstance(error, RuntimeError) else None
        return _complain(f"not enough memory ({found[0]})") if found else _defect()
    if status == EXIT_INTERRUPTED:
        tell("interrupted\n")
    return status if isinstance(status, int) else EXIT_OK


def _defect() -> int:
    tell(f"{traceback.format_exc()}error: this is a defect in hotrow; please report the lines above\n")
    return EXIT_DEFECT


def _complain(message: str) -> int:
    tell("error: " + " ".join(message.split()) + "\n")
    return EXIT_USER


def _usage(error: Any) -> str:
    message = str(error.format_message())
    context = getattr(error, "ctx", None)
    return f"{message} (see: {context.command_path} --help)" if context is not None else message
