"""Requests that are nearly correct, in many ways, and what a server may answer to them."""

from __future__ import annotations

import copy
import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PATIENCE = 60
ALLOWED = {200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 431, 503, 504}
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, -(2**63), 2**64, 10**40, 0.5, -1e308, "", "x", "-0", "\0", "\ud7ff",
    "FP32", "BYTES", "dense", "encoded.ids", [], [[]], [None], {}, {"a": {"b": {}}}, [1] * 300, "x" * 2000,
]  # fmt: skip
LENGTHS = ["0", "1", "17", "99999999", "-1", "x", "9" * 40, "0x10", ""]


@dataclass
class Seen:
    """What came back.

    Attributes:
        statuses: how often each HTTP status or gRPC code did.
        wrong: answers that no request may get, and what was sent.
    """

    statuses: Counter[object] = field(default_factory=Counter)
    wrong: list[tuple[object, bytes, bytes]] = field(default_factory=list)

    def answered(self, status: object, body: bytes, sent: bytes, *, allowed: bool) -> None:
        """Take note of an answer."""
        self.statuses[status] += 1
        if not allowed or b"Traceback" in body or b"/hotrow/" in body or b"File " in body:
            self.wrong.append((status, body[:300], sent[:600]))


class Fuzzer:
    """Makes requests; the same ones for the same seed.

    Args:
        seed: of its random choices.
        name: of the model.
        rows: of the table of each categorical feature.
        dense: N.
    """

    def __init__(self, seed: int, name: str, rows: list[int], dense: int) -> None:
        self.random = random.Random(seed)
        self._name = name
        self._rows = rows
        self._dense = dense

    def http(self) -> bytes:
        """Return a request whose frame is correct: the connection goes on after it."""
        path, body, length = self.random.choice((self._rank, self._infer, self._binary))()
        headers = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        if length is not None or self.random.random() < 0.05:
            odd = self.random.choice(LENGTHS)
            value = str(length) if length is not None and self.random.random() < 0.8 else odd
            headers.append(f"Inference-Header-Content-Length: {value}")
        if self.random.random() < 0.1:
            headers.append(f"Deadline-Ms: {self.random.choice([*LENGTHS, 'nan', 'inf', '1e400'])}")
        return "\r\n".join(headers).encode() + b"\r\n\r\n" + body

    def broken(self) -> bytes:
        """Return bytes that are hardly a request any more."""
        if self.random.random() < 0.2:
            return self.random.randbytes(self.random.randrange(1, 400))
        return self._damaged(self.http())

    def rpc(self, messages: Callable[[str], Any]) -> tuple[str, bytes]:
        """Return a gRPC call's name and its request.

        Args:
            messages: returns the class of a message.
        """
        name = self.random.choice(["ModelInfer"] * 6 + ["ModelReady", "ModelConfig", "ModelStatistics"])
        request = messages(f"{name}Request")()
        if name != "ModelInfer":
            request.name = self.random.choice([self._name, "", "x" * 3000, "\0"])
            return name, self._damaged(request.SerializeToString(), share=0.5)
        request.model_name = self._name
        for tensor in self._tensors(self.random.random() < 0.5):
            given, data = tensor
            request.inputs.add(name=given["name"], datatype=given["datatype"], shape=given["shape"])
            if self.random.random() < 0.9:
                request.raw_input_contents.append(self._damaged(data, share=0.3))
            else:
                request.inputs[-1].contents.int_contents.extend(self.random.choices(range(-3, 3), k=5))
        if self.random.random() < 0.2:
            request.parameters["timeout"].int64_param = self.random.choice([0, -1, 2**62])
        return name, self._damaged(request.SerializeToString(), share=0.3)

    def _rank(self) -> tuple[str, bytes, None]:
        row = {"I1": 3, "I2": None, "C1": "68fd1e64", "C2": ""}
        rows = [dict(row, I1=k) for k in range(self.random.randrange(4))]
        return (
            "/v1/rank",
            self._spoilt({"candidates": rows, "context": {"I3": 1}, "top_k": 2, "id": "a"}),
            None,
        )

    def _infer(self) -> tuple[str, bytes, None]:
        count = self.random.randrange(3)
        dense = [self.random.choice([1, None, -5, 2**40]) for _ in range(count * self._dense)]
        ids = [self.random.choice(["68fd1e64", "", None]) for _ in range(count * len(self._rows))]
        inputs = [
            {"name": "dense", "datatype": "INT64", "shape": [count, self._dense], "data": dense},
            {"name": "categorical", "datatype": "BYTES", "shape": [count, len(self._rows)], "data": ids},
        ]
        return f"/v2/models/{self._name}/infer", self._spoilt({"inputs": inputs, "id": "a"}), None

    def _binary(self) -> tuple[str, bytes, int]:
        tensors = self._tensors(self.random.random() < 0.5)
        inputs = [given | {"parameters": {"binary_data_size": len(data)}} for given, data in tensors]
        header = self._spoilt({"inputs": inputs, "parameters": {"binary_data_output": True}}, share=0.5)
        body = header + b"".join(self._damaged(data, share=0.2) for _, data in tensors)
        return f"/v2/models/{self._name}/infer", body, len(header)

    def _tensors(self, encoded: bool) -> list[tuple[dict[str, Any], bytes]]:
        count = self.random.randrange(3)
        width = len(self._rows)
        dense = np.arange(count * self._dense, dtype="<f4")
        if self.random.random() < 0.2:
            dense[:1] = self.random.choice([np.nan, np.inf, -np.inf, 3e38])
        if encoded:
            ids = np.array(
                [self.random.randrange(most) for _ in range(count) for most in self._rows], dtype="<i4"
            )
            if self.random.random() < 0.3:
                ids[-1:] = self.random.choice([-1, 2**31 - 1, -(2**31)])
            second = {"name": "encoded.ids", "datatype": "INT32", "shape": [count, width]}, ids.tobytes()
        else:
            text = b"\x08\0\0\068fd1e64" * (count * width)
            second = {"name": "categorical", "datatype": "BYTES", "shape": [count, width]}, text
        name = "encoded.dense" if encoded else "dense"
        return [({"name": name, "datatype": "FP32", "shape": [count, self._dense]}, dense.tobytes()), second]

    def _spoilt(self, value: Any, share: float = 0.8) -> bytes:
        """Return JSON of a value, mostly with a few of its parts changed."""
        if self.random.random() >= share:
            return json.dumps(value).encode()
        value = copy.deepcopy(value)
        for _ in range(self.random.randrange(1, 4)):
            self._change(value)
        return self._damaged(json.dumps(value).encode("utf-8", "surrogatepass"), share=0.2)

    def _change(self, value: Any) -> None:
        """Change one part of an object or list, somewhere."""
        while isinstance(value, dict | list) and value:
            keys = list(value) if isinstance(value, dict) else range(len(value))
            key = self.random.choice(keys)
            if isinstance(value[key], dict | list) and value[key] and self.random.random() < 0.7:
                value = value[key]
                continue
            kind = self.random.randrange(4)
            if kind == 0:
                del value[key]
            elif kind == 1 and isinstance(value, list):
                value.append(copy.deepcopy(value[key]))
            elif kind == 2 and isinstance(value, dict):
                value[str(self.random.choice(ODD))[:50]] = self._odd()
            else:
                value[key] = self._odd()
            return

    def _odd(self) -> Any:
        return copy.deepcopy(self.random.choice(ODD))

    def _damaged(self, data: bytes, share: float = 1.0) -> bytes:
        """Return bytes of which some were changed, left out or doubled, with probability ``share``."""
        if self.random.random() >= share or not data:
            return data
        found = bytearray(data)
        for _ in range(self.random.randrange(1, 5)):
            at = self.random.randrange(len(found) + 1)
            kind = self.random.randrange(4)
            if kind == 0 and at < len(found):
                found[at] = self.random.randrange(256)
            elif kind == 1:
                del found[at : at + self.random.randrange(1, 40)]
            elif kind == 2:
                found[at:at] = self.random.randbytes(self.random.randrange(1, 20))
            else:
                found[at:at] = found[at : at + 60]
        return bytes(found)


def fuzz_http(fuzzer: Fuzzer, address: tuple[str, int], count: int, seen: Seen) -> None:
    """Send requests over one connection, as long as it lasts."""
    connection = socket.create_connection(address, timeout=PATIENCE)
    for _ in range(count):
        sent = fuzzer.http()
        try:
            connection.sendall(sent)
            status, body, stays = _answer(connection)
        except (BrokenPipeError, ConnectionResetError):
            status, body, stays = 0, b"", False
        seen.answered(status, body, sent, allowed=status in ALLOWED)
        if not stays:
            connection.close()
            connection = socket.create_connection(address, timeout=PATIENCE)
    connection.close()


def fuzz_sockets(fuzzer: Fuzzer, address: tuple[str, int], count: int, seen: Seen) -> None:
    """Send bytes, each time over another connection, and read what comes."""
    for _ in range(count):
        sent = fuzzer.broken()
        found = b""
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    found += part
            except (BrokenPipeError, ConnectionResetError, OSError):
                pass
        status = int(found.split()[1]) if found.startswith(b"HTTP/1.1 ") else 0
        seen.answered(status, found, sent, allowed=status in ALLOWED | {0, 100})


def _answer(connection: socket.socket) -> tuple[int, bytes, bool]:
    """Read one answer; return its status, its body and whether the connection stays."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65536)
        if not part:
            raise ConnectionResetError
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), body, b"connection: close" not in lower
