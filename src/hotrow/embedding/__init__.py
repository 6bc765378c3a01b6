"""Embedding tables whose optimizer runs in backward."""

from hotrow.embedding.config import TableConfig, TableOptimizerConfig
from hotrow.embedding.tables import EmbeddingTables

__all__ = ["EmbeddingTables", "TableConfig", "TableOptimizerConfig"]
