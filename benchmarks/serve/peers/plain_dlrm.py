"""DLRM in plain PyTorch, eager and fp32, with the weights of an artifact; and its call, as one writes it.

Both peers use this, so that what is compared is what is around the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

HEADER = "inference-header-content-length"


class PlainDLRM(nn.Module):
    """facebookresearch/dlrm's model: bottom network, one table for each id, dot products, top network.

    Args:
        artifact: of hotrow's DLRM with fp32 tables; its tables are mapped, not copied.
    """

    def __init__(self, artifact: Path) -> None:
        super().__init__()
        model = json.loads((artifact / "model.json").read_text())
        names = [table["name"] for table in model["model"]["config"]["tables"]]
        tables = load_file(artifact / "tables.safetensors")
        self.tables = nn.ModuleList(
            nn.Embedding(rows, width, _weight=tables[name], _freeze=True)
            for name, (rows, width) in ((name, tables[name].shape) for name in names)
        )
        dense = load_file(artifact / "dense.safetensors")
        self.bottom = _network(dense, "bottom", ends_with_relu=True)
        self.top = _network(dense, "top", ends_with_relu=False)
        features = len(names) + 1
        self.pairs = torch.tril_indices(features, features, offset=-1)

    def forward(self, dense_BN: Tensor, ids_BF: Tensor) -> Tensor:
        """Return probabilities, (B,)."""
        bottom_BD = self.bottom(dense_BN)
        rows = [table(ids_BF[:, at]) for at, table in enumerate(self.tables)]
        x_BFD = torch.stack([bottom_BD, *rows], dim=1)
        dots = torch.bmm(x_BFD, x_BFD.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return torch.sigmoid(self.top(torch.cat([bottom_BD, dots], dim=1))).squeeze(1)


def _network(tensors: dict[str, Tensor], name: str, *, ends_with_relu: bool) -> nn.Sequential:
    weights = sorted(key for key in tensors if key.startswith(f"{name}.") and key.endswith("weight"))
    layers: list[nn.Module] = []
    for key in weights:
        weight = tensors[key]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = weight, tensors[key.removesuffix("weight") + "bias"]
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*(layers if ends_with_relu else layers[:-1]))


def load(artifact: Path) -> PlainDLRM:
    """Return the model for one process of one thread: as many processes as cores are faster than threads."""
    torch.set_num_threads(1)
    return PlainDLRM(artifact).eval()


def respond(model: PlainDLRM, body: bytes, header_bytes: int | None) -> tuple[bytes, int | None]:
    """Answer the call of the Open Inference Protocol with encoded rows, JSON or binary.

    Returns:
        The body, and the length of its header if its tensor is binary.
    """
    request = json.loads(body if header_bytes is None else body[:header_bytes])
    dense, ids = request["inputs"]
    if header_bytes is None:
        dense_BN = np.array(dense["data"], dtype=np.float32).reshape(dense["shape"])
        ids_BF = np.array(ids["data"], dtype=np.int64).reshape(ids["shape"])
    else:
        split = header_bytes + dense["parameters"]["binary_data_size"]
        dense_BN = np.frombuffer(body[header_bytes:split], dtype=np.float32).reshape(dense["shape"])
        ids_BF = np.frombuffer(body[split:], dtype=np.int32).reshape(ids["shape"])
    with torch.inference_mode():
        scores_B = model(torch.tensor(dense_BN), torch.tensor(ids_BF)).numpy()
    output: dict[str, Any] = {"name": "score", "datatype": "FP32", "shape": [len(scores_B)]}
    if header_bytes is None:
        output["data"] = scores_B.tolist()
        return json.dumps({"model_name": "dlrm", "outputs": [output]}).encode(), None
    output["parameters"] = {"binary_data_size": scores_B.nbytes}
    header = json.dumps({"model_name": "dlrm", "outputs": [output]}).encode()
    return header + scores_B.tobytes(), len(header)
