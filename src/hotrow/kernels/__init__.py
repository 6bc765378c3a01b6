"""Operators with more than one implementation: a readable reference, and compiled code.

One folder per operator: ``reference.py`` is the specification, ``cpu.py`` calls the compiled
``hotrow._kernels``; ``dispatch`` chooses. Importing this package imports neither torch nor the
compiled module.
"""

from hotrow.kernels.dispatch import Backend, BackendName, available_backends, record_paths

__all__ = ["Backend", "BackendName", "available_backends", "record_paths"]
