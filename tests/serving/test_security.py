from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.errors import ConfigError, MissingFileError, RequestError
from hotrow.serving import Certificate, Limits, RankingService, ServerConfig
from hotrow.serving.security import FREE, Guard

TOKEN = "0123456789abcdef"
SERVICE = "/inference.GRPCInferenceService/"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Return a file with the token."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for this machine that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "cert.pem", folder / "key.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [openssl, "req", *kind, *names, "-keyout", key, "-out", chain], check=True, capture_output=True
    )
    return Certificate(chain, key)


@pytest.fixture
def guarded(scorer: Any, token_file: Path) -> Iterator[Listening]:
    """Return a server that wants its token."""
    config = ServerConfig(port=0, grpc_port=0, token_file=token_file)
    with Listening(lambda: RankingService("sums", scorer, Limits()), config).running() as server:
        yield server


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": TOKEN}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {TOKEN}x"}],
    ids=["none", "no scheme", "wrong", "longer"],
)
def test_without_the_token_only_health_and_the_page_are_answered(guarded: Listening, header: Any) -> None:
    with httpx.Client(base_url=guarded.url, headers=header, timeout=PATIENCE) as client:
        for path in FREE:
            assert client.get(path).status_code == 200
        for path in ("/v2", "/v2/models/sums", "/metrics", "/v1/live", "/nothing"):
            answer = client.get(path)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in answer.text
        assert client.post("/v1/rank", json={"candidates": [{}]}).status_code == 401
    assert guarded.front.statistics.success.count == 0


def test_two_tokens_are_none(guarded: Listening) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer x")]
    assert httpx.get(guarded.url + "/v2", headers=headers, timeout=PATIENCE).status_code == 401


def test_with_the_token_everything_is_answered(guarded: Listening) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=PATIENCE) as client:
        assert client.get("/v2").status_code == 200
        assert client.post("/v1/rank", json={"candidates": [{}]}).status_code == 200


def test_grpc_wants_the_token_too(guarded: Listening) -> None:
    with grpc.insecure_channel(guarded.grpc) as channel:
        for name in ("ServerLive", "ServerReady"):
            assert channel.unary_unary(SERVICE + name)(b"", timeout=PATIENCE) == b"\x08\x01"
        call = channel.unary_unary(SERVICE + "ServerMetadata")
        for metadata in ((), (("authorization", "Bearer x"),)):
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=PATIENCE, metadata=metadata)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert call(b"", timeout=PATIENCE, metadata=(("authorization", f"Bearer {TOKEN}"),))


def test_connections_may_be_encrypted(scorer: Any, certificate: Certificate) -> None:
    config = ServerConfig(port=0, grpc_port=0, certificate=certificate)
    with Listening(lambda: RankingService("sums", scorer, Limits()), config).running() as server:
        assert server.url.startswith("https://")
        trust = ssl.create_default_context(cafile=certificate.chain)
        with httpx.Client(base_url=server.url, verify=trust, timeout=PATIENCE) as client:
            assert client.post("/v1/rank", json={"candidates": [{}]}).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https", "http"), timeout=PATIENCE)
        credentials = grpc.ssl_channel_credentials(certificate.chain.read_bytes())
        with grpc.secure_channel(server.grpc, credentials) as channel:
            assert channel.unary_unary(SERVICE + "ServerLive")(b"", timeout=PATIENCE) == b"\x08\x01"


def test_a_key_of_another_certificate_is_told(certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(
        ConfigError, match=r"tls_cert: .*a PEM certificate that .*no.pem is the private key of"
    ):
        Certificate(certificate.chain, tmp_path / "no.pem")
    with pytest.raises(MissingFileError, match="none"):
        Certificate(tmp_path / "none.pem", certificate.key)


@pytest.mark.parametrize("content", [b"", b"short", b"two words of a token", b"\xff" * 20, b"a" * 20 + b"\0"])
def test_a_file_without_a_usable_token_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match="token_file"):
        Guard.of_file(tmp_path / "token")


def test_a_missing_token_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="a file with the token"):
        Guard.of_file(tmp_path / "token")


def test_a_guard_without_a_token_lets_everybody_pass() -> None:
    Guard().require(None)
    with pytest.raises(RequestError):
        Guard(TOKEN).require(None)
