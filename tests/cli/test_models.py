from __future__ import annotations

import json

from typer.testing import CliRunner

from hotrow.cli.main import app
from hotrow.models import presets

FIELDS = {
    "name",
    "paper",
    "parameters",
    "table_bytes",
    "flop_per_item",
    "gathered_bytes_per_item",
    "flop_per_byte",
}


def test_json_has_the_zoo_with_kaggle_sizes() -> None:
    result = CliRunner().invoke(app, ["models", "--json"])
    assert result.exit_code == 0
    models = {entry["name"]: entry for entry in json.loads(result.stdout)["models"]}
    assert all(set(entry) == FIELDS for entry in models.values())
    kaggle = models["dlrm-kaggle"]
    assert kaggle["table_bytes"] == 33_762_577 * 16 * 4
    assert kaggle["gathered_bytes_per_item"] == 26 * 16 * 4
    assert kaggle["flop_per_item"] == 2 * (155_136 + 367 * 512 + 512 * 256 + 256) + 2 * 16 * 351
    assert kaggle["paper"].startswith("https://arxiv.org/")


def test_text_is_a_table() -> None:
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    heads, *rows = result.stdout.splitlines()
    assert heads.split()[0] == "model"
    assert tuple(row.split()[0] for row in rows) == presets()
