"""Embedding tables whose optimizer runs in backward."""

from hotrow.embedding.config import FeatureConfig, TableConfig, TableOptimizerConfig
from hotrow.embedding.lookup import Lookup
from hotrow.embedding.tables import EmbeddingTables

__all__ = ["EmbeddingTables", "FeatureConfig", "Lookup", "TableConfig", "TableOptimizerConfig"]
