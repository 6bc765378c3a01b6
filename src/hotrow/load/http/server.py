"""What a server says of itself before it is loaded: is it ready, which model it has, what that takes."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import msgspec

from hotrow.errors import ConfigError
from hotrow.load.http.answers import error_text
from hotrow.load.http.bodies import Body
from hotrow.load.http.connection import Answer, ConnectionLostError
from hotrow.load.http.pool import Pool
from hotrow.load.http.url import Url, finish
from hotrow.load.raw_rows import Columns

PATIENCE_S = 10.0
_UNAUTHORIZED = 401


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int] = []


class _Metadata(msgspec.Struct):
    name: str
    inputs: list[_Tensor] = []
    parameters: dict[str, str] = {}


class _IndexEntry(msgspec.Struct):
    name: str


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model as its server describes it.

    Attributes:
        name: in addresses.
        columns: of raw rows.
        table_rows: E of the tables of its categorical features, then of its lists, if the server tells
            (parameter ``table_rows``).
        inputs: shape of each input tensor by name; -1 is any size.
    """

    name: str
    columns: Columns
    table_rows: tuple[int, ...] | None = None
    inputs: dict[str, list[int]] = field(default_factory=dict)


def describe(url: Url, model: str | None) -> ServedModel:
    """Ask a server whether it is ready and what its model takes.

    Args:
        url: of the server.
        model: its name; None: the only one there is.

    Raises:
        ConfigError: there is no such server or model, it is not ready, or it wants a token.
    """
    try:
        return asyncio.run(asyncio.wait_for(_describe(url, model), PATIENCE_S))
    except ssl.SSLCertVerificationError as error:
        trusted = "a server whose certificate is trusted"
        hint = "SSL_CERT_FILE=ca.pem in the environment names the authority that signed it"
        raise ConfigError("URL", _text(url), f"{trusted} ({error.verify_message}; {hint})") from error
    except (OSError, ConnectionLostError, TimeoutError) as error:
        reason = str(error) or f"no answer within {PATIENCE_S:g} s"
        raise ConfigError("URL", _text(url), f"a running server ({reason})") from error


async def _describe(url: Url, model: str | None) -> ServedModel:
    pool = Pool(url.host, url.port, url.tls())
    try:
        ready = await _get(pool, url, "/v2/health/ready")
        if ready.status != 200:
            raise ConfigError(
                "URL", _text(url), f"a server that is ready (HTTP {ready.status}: {error_text(ready)})"
            )
        name = model or await _only_model(pool, url)
        answer = await _get(pool, url, f"/v2/models/{name}")
        if answer.status != 200:
            raise ConfigError("--model", name, f"a model of the server ({error_text(answer)})")
        return _read(url, answer)
    finally:
        pool.close()


async def _only_model(pool: Pool, url: Url) -> str:
    """Find the model's name in the index of Triton's model repository extension."""
    answer = _permitted(await pool.ask(finish(url.head("POST", "/v2/repository/index"), Body([b"{}"]))))
    try:
        names = [entry.name for entry in msgspec.json.decode(answer.body, type=list[_IndexEntry])]
    except msgspec.MsgspecError:
        names = []
    if answer.status != 200 or len(names) != 1:
        has = f"; the server has {', '.join(names)}" if names else ""
        raise ConfigError("--model", None, f"the name of a model{has}")
    return names[0]


async def _get(pool: Pool, url: Url, path: str) -> Answer:
    return _permitted(await pool.ask([url.head("GET", path) + b"\r\n"]))


def _permitted(answer: Answer) -> Answer:
    """Return an answer, unless the server says that it lacks the right token."""
    if answer.status == _UNAUTHORIZED:
        expected = "the server's token: --header 'Authorization: Bearer TOKEN'"
        raise ConfigError("--header", "no token or a wrong one", expected)
    return answer


def _read(url: Url, answer: Answer) -> ServedModel:
    try:
        metadata = msgspec.json.decode(answer.body, type=_Metadata)
        rows = metadata.parameters.get("table_rows")
        tables = None if rows is None else tuple(int(part) for part in rows.split(",") if part)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError("URL", _text(url), f"a server that describes its model ({error})") from error
    shapes = {tensor.name: tensor.shape for tensor in metadata.inputs}
    columns = Columns(
        dense=_names(metadata, "dense_columns"),
        categorical=_names(metadata, "categorical_columns"),
        lists=tuple(name.removeprefix("list.") for name in shapes if name.startswith("list.")),
    )
    return ServedModel(name=metadata.name, columns=columns, table_rows=tables, inputs=shapes)


def _names(metadata: _Metadata, key: str) -> tuple[str, ...]:
    return tuple(name for name in metadata.parameters.get(key, "").split(",") if name)


def _text(url: Url) -> str:
    return f"{'https' if url.is_tls else 'http'}://{url.host}:{url.port}{url.prefix}"
