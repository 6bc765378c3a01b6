from __future__ import annotations

import json
import ssl

import pytest
from tests.load.stub import Answer, Reply, Request, good, in_thread

from hotrow.errors import ConfigError
from hotrow.load.http import server
from hotrow.load.http.server import describe
from hotrow.load.http.url import parse_url
from hotrow.load.raw_rows import Columns

METADATA = {
    "name": "m",
    "inputs": [
        {"name": "dense", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "list.h", "datatype": "BYTES", "shape": [-1]},
        {"name": "lengths.h", "datatype": "INT64", "shape": [-1]},
    ],
    "parameters": {"dense_columns": "a,b", "categorical_columns": "", "table_rows": "9,12"},
}


def answering(**replies: Reply) -> Answer:
    """Return what answers by the last part of the path, and else well."""

    async def answer(request: Request) -> Reply:
        return replies.get(request.path.rpartition("/")[2]) or await good(request)

    return answer


def test_a_server_describes_its_model() -> None:
    with in_thread(answering(m=Reply(body=json.dumps(METADATA).encode()))) as stub:
        for name in (None, "m"):
            served = describe(parse_url(stub.url, ["X-Token: t"]), name)
            assert served.name == "m"
            assert served.columns == Columns(dense=("a", "b"), categorical=(), lists=("h",))
            assert served.table_rows == (9, 12)
            assert served.inputs["dense"] == [-1, 2]
    assert all(request.headers["x-token"] == "t" for request in stub.requests)


@pytest.mark.parametrize(
    ("replies", "model", "message"),
    [
        (
            {"ready": Reply(503, b'{"error": "loading"}')},
            "m",
            "a server that is ready .HTTP 503: load",
        ),
        ({"x": Reply(404, b'{"error": "no model x"}')}, "x", "--model: got 'x', .*no model x"),
        ({"m": Reply(401)}, "m", "--header: .*server's token: --header 'Authorization: Bearer TOKEN'"),
        ({"index": Reply(401)}, None, "--header: .*server's token"),
        ({"m": Reply(200, b"<html>")}, "m", "URL: .*a server that describes its model"),
        ({"m": Reply(200, b'{"name": "m", "parameters": {"table_rows": "a"}}')}, "m", "describes its model"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(
    replies: dict[str, Reply], model: str | None, message: str
) -> None:
    with in_thread(answering(**replies)) as stub, pytest.raises(ConfigError, match=message):
        describe(parse_url(stub.url), model)


def test_no_server_is_told() -> None:
    with in_thread() as stub:
        url = parse_url(stub.url)
    with pytest.raises(ConfigError, match=r"URL: got 'http://127.0.0.1:\d+', expected a running server"):
        describe(url, None)


def test_a_certificate_that_is_not_trusted_is_told_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        error = ssl.SSLCertVerificationError("certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(server, "_describe", refuse)
    with pytest.raises(
        ConfigError, match=r"trusted \(self-signed certificate; SSL_CERT_FILE=ca.pem in the env"
    ):
        describe(parse_url("https://localhost"), None)
