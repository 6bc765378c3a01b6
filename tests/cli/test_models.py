from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from hotrow.cli.main import app
from hotrow.models import model_name, paper_inputs, paper_of, preset, presets


def test_json_has_every_fact_of_every_preset() -> None:
    result = CliRunner().invoke(app, ["models", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["models"] == [
        {
            "name": name,
            "model": model_name(name),
            "paper": paper_of(name),
            **asdict(preset(name, paper_inputs(name)).facts()),
        }
        for name in presets()
    ]


def test_json_has_the_published_sizes_of_kaggle() -> None:
    result = CliRunner().invoke(app, ["models", "--json"])
    kaggle = {entry["name"]: entry for entry in json.loads(result.stdout)["models"]}["dlrm-kaggle"]
    assert kaggle["table_bytes"] == 33_762_577 * 16 * 4
    assert kaggle["gathered_bytes_per_item"] == 26 * 16 * 4
    assert kaggle["flop_per_item"] == 2 * (155_136 + 367 * 512 + 512 * 256 + 256) + 2 * 16 * 351
    assert kaggle["paper"].startswith("https://arxiv.org/")


def test_text_has_a_line_for_each_preset() -> None:
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    heads, *rows = result.stdout.splitlines()
    assert heads.split()[0] == "model"
    assert tuple(row.split()[0] for row in rows) == presets()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dlrm-rmc1", ["1.0G", "3.8 GiB", "200.8kFLOP", "80.0 KiB", "2.45"]),
        ("dlrm-rmc2", ["1.0G", "3.8 GiB", "639.1kFLOP", "960.0 KiB", "0.65"]),
        ("dlrm-rmc3", ["643.2M", "2.4 GiB", "6.4MFLOP", "25.0 KiB", "250"]),
        ("ncf-paper", ["21.7M", "82.0 MiB", "295.0kFLOP", "1.0 KiB", "288"]),
        ("wide-deep-paper", ["866.1M", "3.2 GiB", "4.1MFLOP", "3.4 KiB", "1195"]),
        ("mt-wide-deep-paper", ["978.8M", "3.6 GiB", "5.6MFLOP", "5.4 KiB", "1012"]),  # of two tasks
        ("din-paper", ["675.2M", "2.5 GiB", "144.7kFLOP", "32.5 KiB", "4.35"]),
        ("dien-paper", ["976.4M", "3.6 GiB", "4.9MFLOP", "11.6 KiB", "413"]),
    ],
)
def test_text_shows_sizes_and_costs(name: str, shown: list[str]) -> None:
    rows = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    (row,) = (row for row in rows if row.startswith(f"{name} "))
    assert row.split("  ")[0] == name
    assert [cell.strip() for cell in row.split("  ") if cell.strip()][1:-1] == shown


def test_needs_nothing_slow_but_torch() -> None:
    """PyTorch's compiler and what comes with it take as long to import as torch itself."""
    code = (
        "import sys; from hotrow.cli.main import app; app(['models'], standalone_mode=False);"
        "slow = {'torch._dynamo', 'torch._inductor', 'sympy', 'triton', 'polars', 'pyarrow', 'uvicorn'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
