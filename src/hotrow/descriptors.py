"""How many files and connections a process may have open."""

from __future__ import annotations

import resource


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
