"""Raw logs to prepared data sets, and prepared data sets to batches.

``formats`` reads raw logs; ``prepare`` makes a data set of them; ``encoder`` encodes raw rows, when
preparing and when ranking; ``dataset`` and ``loader`` feed training.
"""

from hotrow.data.raw import EncodedBlock, RawBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema

__all__ = ["CategoricalFeature", "DenseFeature", "EncodedBlock", "RawBlock", "Schema"]
