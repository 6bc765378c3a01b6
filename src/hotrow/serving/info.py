"""What the front process knows of the model that its workers run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, SchemaMismatchError
from hotrow.serving.engine.layout import Shape
from hotrow.serving.protocol import ModelMetadata, TensorMetadata

DENSE = "dense"
CATEGORICAL = "categorical"
LIST = "list."
LENGTHS = "lengths."
ENCODED_DENSE = "encoded.dense"
ENCODED_IDS = "encoded.ids"
ENCODED_LIST = "encoded.list."
SCORE = "score"
TASKS = "tasks"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ModelInfo(Struct, frozen=True):
    """A served model.

    Attributes:
        name: in addresses and answers.
        version: of the artifact, so that two loads of one artifact have the same.
        dense: names of the N dense columns.
        categorical: names of the F categorical columns.
        lists: names of the M list features.
        tasks: names of the K tasks, the one to rank by first.
        rows: rows of the table of each categorical column, then of each list feature.
    """

    name: str
    version: str
    dense: tuple[str, ...]
    categorical: tuple[str, ...]
    lists: tuple[str, ...]
    tasks: tuple[str, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, name: str, version: str, schema: Schema, tasks: Sequence[str]) -> ModelInfo:
        """Return what there is to know of a model by its schema.

        Raises:
            ConfigError: the name cannot be part of an address.
            SchemaMismatchError: it takes weighted bags, which requests cannot carry.
        """
        for feature in schema.lists:
            if feature.weighted:
                raise SchemaMismatchError(
                    f"{feature.name}: the model takes a weighted bag, expected none: requests carry no "
                    "weights (hotrow rank takes them)"
                )
        if _NAME.fullmatch(name) is None:
            raise ConfigError("name", name, "letters, digits, '.', '_' and '-', at most 128")
        return cls(
            name=name,
            version=version,
            dense=tuple(feature.name for feature in schema.dense),
            categorical=tuple(feature.name for feature in schema.categorical),
            lists=tuple(feature.name for feature in schema.lists),
            tasks=tuple(tasks),
            rows=tuple(f.rows for f in schema.categorical) + tuple(f.rows for f in schema.lists),
        )

    @property
    def shape(self) -> Shape:
        """Sizes of a row."""
        return Shape(len(self.dense), len(self.categorical), len(self.lists), len(self.tasks))

    @property
    def outputs(self) -> list[TensorMetadata]:
        """The tensors of an answer."""
        of_each = [TensorMetadata(TASKS, "FP32", [-1, len(self.tasks)])] if len(self.tasks) > 1 else []
        return [TensorMetadata(SCORE, "FP32", [-1]), *of_each]

    def metadata(self) -> ModelMetadata:
        """Answer ``GET /v2/models/{name}``."""
        inputs = [
            TensorMetadata(DENSE, "FP32", [-1, len(self.dense)]),
            TensorMetadata(CATEGORICAL, "BYTES", [-1, len(self.categorical)]),
        ]
        for name in self.lists:
            inputs.append(TensorMetadata(LIST + name, "BYTES", [-1]))
            inputs.append(TensorMetadata(LENGTHS + name, "INT64", [-1]))
        several = {"task_columns": ",".join(self.tasks)} if len(self.tasks) > 1 else {}
        return ModelMetadata(
            name=self.name,
            versions=[self.version],
            platform="hotrow",
            inputs=[tensor for tensor in inputs if tensor.shape[-1]],
            outputs=self.outputs,
            parameters={
                "dense_columns": ",".join(self.dense),
                "categorical_columns": ",".join(self.categorical),
                "list_columns": ",".join(self.lists),
                "table_rows": ",".join(map(str, self.rows)),
                **several,
            },
        )
