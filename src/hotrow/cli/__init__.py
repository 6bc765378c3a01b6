"""The ``hotrow`` command: one file per sub-command."""
