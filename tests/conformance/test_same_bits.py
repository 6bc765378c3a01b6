"""Same seed, same model: seeds decide everything and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tests.conformance.batches import make_batch
from tests.conformance.building import fit_a_little, logits_of, make_model
from tests.conformance.cases import Case

from hotrow.config import from_mapping, to_mapping
from hotrow.models import RankingModel, config_type


def test_same_seed_gives_the_same_bits(case: Case, fitted: RankingModel) -> None:
    again = fit_a_little(case).state_dict()
    for key, tensor in fitted.state_dict().items():
        assert torch.equal(tensor, again[key]), key


def test_another_seed_gives_other_weights_everywhere(case: Case) -> None:
    one, other = (dict(make_model(case, seed=seed).named_parameters()) for seed in (1, 2))
    for name, tensor in one.items():
        is_constant = bool((tensor == tensor.flatten()[0]).all())  # biases that start at 0 and the like
        assert is_constant or not torch.equal(tensor, other[name]), name
    batch = make_batch(case.inputs, 9)
    first, second = (logits_of(make_model(case, seed=seed).eval(), batch) for seed in (1, 2))
    assert not torch.equal(first, second)


def test_building_and_training_leave_the_global_generator_alone(case: Case) -> None:
    before = torch.get_rng_state()
    fit_a_little(case)
    assert torch.equal(before, torch.get_rng_state())


def test_state_dict_round_trip(case: Case, fitted: RankingModel, tmp_path: Path) -> None:
    torch.save(fitted.state_dict(), tmp_path / "state.pt")
    other = make_model(case, seed=9, table_lr=0.1).eval()
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    batch = make_batch(case.inputs, 33)
    assert torch.equal(logits_of(fitted, batch), logits_of(other, batch))


def test_configuration_survives_json(case: Case) -> None:
    mapping = json.loads(json.dumps(to_mapping(case.config)))
    assert from_mapping(config_type(case.preset), mapping) == case.config
