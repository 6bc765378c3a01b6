"""Embedding lookups and their training step, beside FBGEMM, torch and what memory allows.

``training`` and ``lowbit`` are the two suites. ``_hotrow``, ``_fbgemm`` and ``_torch`` hold the contenders,
``bandwidth`` reads random rows as fast as this machine can, ``timing`` says how all of them are timed.
"""
