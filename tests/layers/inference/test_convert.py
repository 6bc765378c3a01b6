from __future__ import annotations

import pytest
import torch
from torch import nn

from hotrow.errors import BackendUnavailableError
from hotrow.layers import MLP
from hotrow.layers.inference import Networks, for_inference


def small() -> nn.Sequential:
    return nn.Sequential(MLP((5, 4, 1), activate_last=False, generator=torch.Generator().manual_seed(0)))


def test_no_linear_layer_of_training_stays() -> None:
    model, x = small(), torch.randn(9, 5)
    expected = model(x)
    assert for_inference(model) is model
    assert not any(isinstance(layer, nn.Linear) for layer in model.modules())
    torch.testing.assert_close(model(x), expected)


def test_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not any(isinstance(layer, nn.Linear) for layer in for_inference(small()).modules())
    with pytest.raises(BackendUnavailableError, match="networks in bf16: this processor, or this torch"):
        for_inference(small(), Networks(precision="bf16"))
