"""``python -m hotrow``."""

from hotrow.cli.main import main

main()
