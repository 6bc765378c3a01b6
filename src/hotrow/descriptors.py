"""What a process has open: its standard streams, and how many files and connections."""

from __future__ import annotations

import errno
import os
import resource
import sys

from hotrow.errors import UserError


def open_standard_streams() -> None:
    """Open those of descriptors 0 to 2 that are closed on the null device.

    Whatever is opened next would be there otherwise, and get what is meant for standard error.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115 - as long as the process


def is_too_much_open(error: OSError) -> bool:
    """Return whether that is why something could not be opened."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def require_descriptors(error: OSError) -> None:
    """Tell what to do where something could not be opened because too much is open.

    Raises:
        UserError: that is the reason.
    """
    if is_too_much_open(error):
        found = f"a process may have {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}"
        raise UserError(f"too many open files ({found}); raise the limit (ulimit -n)") from error


def allow_descriptors(count: int) -> int:
    """Let this process have ``count`` open files and connections, as far as the system allows it.

    Returns:
        ``count``, or how many it may have if those are fewer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return count
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
