"""The Python surface: what users may rely on, listed once."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import hotrow

PUBLIC = [
    "Artifact",
    "Dataset",
    "HotrowError",
    "Loader",
    "UserError",
    "build_model",
    "load_artifact",
    "make_recipe",
    "prepare",
    "score_log",
    "serve",
    "synthesize_criteo",
    "train_model",
]


def test_the_public_names_are_these() -> None:
    assert sorted(hotrow.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had(name: str) -> None:
    value = getattr(hotrow, name)
    assert value.__doc__
    assert not isinstance(value, ModuleType), "a folder of the same name hides it"


def test_the_tables_are_at_hand_without_an_import_of_their_own() -> None:
    code = "import hotrow; print(hotrow.embedding.EmbeddingTables.__name__)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "EmbeddingTables"


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = hotrow.nonsense


def test_importing_is_cheap_and_needs_no_library() -> None:
    code = "import sys, hotrow; print(sorted({'torch', 'numpy', 'polars', 'pyarrow'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
