from __future__ import annotations

import json

import pytest

from hotrow.errors import ConfigError
from hotrow.models import DLRMConfig
from hotrow.train import Recipe, change, make_recipe
from hotrow.types import Inputs

INPUTS = Inputs(num_dense=3, names=("a", "b"), rows=(10, 20))


def test_settings_reach_model_and_training() -> None:
    recipe = make_recipe(
        "dlrm-small", INPUTS, settings={"model.top": "32,1", "model.width": "8", "batch_size": "128"}
    )
    assert isinstance(recipe.model, DLRMConfig)
    assert recipe.model.top == (32, 1)
    assert recipe.model.bottom[-1] == 8
    assert [table.width for table in recipe.model.tables] == [8, 8]
    assert recipe.train.batch_size == 128
    assert recipe.model_name == "dlrm"


def test_it_survives_json() -> None:
    recipe = make_recipe("dlrm", INPUTS, settings={"dense.kind": "adagrad"})
    mapping = json.loads(json.dumps(recipe.to_mapping()))
    assert Recipe.from_mapping(mapping, where="config.json") == recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model.depth": "3"}, r"model\.depth.*of the fields"),
        ({"depth": "3"}, "depth.*of the fields"),
        ({"model.width": "wide"}, r"model\.width: got 'wide', expected a whole number"),
        ({"model.width": "0"}, r"model\.width"),
        ({"model.top": "32,2"}, r"^model\.top: got \(32, 2\), .* the last of them 1"),
        ({"model.top": f"{2**63},1"}, r"^model\.top\[0\]: .* a whole number of 64 bits"),
        ({"model.num_dense": "-1"}, "model.num_dense: got -1, expected 3: it is the data set's"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_recipe("dlrm-small", INPUTS, settings=settings)


def test_an_unknown_model_is_answered_with_the_known() -> None:
    with pytest.raises(ConfigError, match="dlrm-kaggle"):
        make_recipe("deepfn", INPUTS)


def test_a_stored_recipe_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"config\.json"):
        Recipe.from_mapping({"model": {}}, where="config.json")


def test_change_leaves_the_rest() -> None:
    recipe = make_recipe("dlrm-small", INPUTS, settings={"epochs": "3"})
    assert change(recipe, {}) == recipe
    assert change(recipe, {"seed": "7"}).train.epochs == 3
