"""Decisions of serving under a latency target, apart from sockets, clocks and engines."""
