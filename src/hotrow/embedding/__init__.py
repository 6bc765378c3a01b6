"""Embedding tables whose optimizer runs in backward."""

from hotrow.embedding.config import FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.embedding.tables import EmbeddingTables, Lookup

__all__ = ["EmbeddingTables", "FeatureConfig", "Lookup", "TableConfig", "TableOptimizerConfig"]
