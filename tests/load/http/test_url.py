from __future__ import annotations

import pytest

from hotrow.errors import ConfigError
from hotrow.load.http.bodies import Body
from hotrow.load.http.url import Url, finish, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000", Url(host="127.0.0.1", port=8000)),
        ("http://model/", Url(host="model", port=80)),
        ("https://model/team/a/", Url(host="model", port=443, is_tls=True, prefix="/team/a")),
        ("http://[::1]:9", Url(host="::1", port=9)),
    ],
)
def test_addresses(text: str, url: Url) -> None:
    assert parse_url(text) == url
    assert (url.tls() is not None) == url.is_tls


BAD = [
    "",
    "localhost:80",
    "ftp://x",
    "http://",
    "http://x:y",
    "http://x:70000",
    "http://x?a",
    "http://x y",
    "http://u:p@x",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"URL: got .*, expected an address such as http"):
        parse_url(text)


@pytest.mark.parametrize("header", ["x", ": y", "a: b\r\nc: d", "a: \u00e9"])
def test_what_is_no_header(header: str) -> None:
    with pytest.raises(ConfigError, match="--header"):
        parse_url("http://x", [header])


def test_a_whole_request() -> None:
    url = parse_url("http://[::1]:9/p", ["Authorization: Bearer t"])
    text = b"".join(finish(url.head("POST", "/v1/rank"), Body([b"{", b"}"])))
    assert text == (
        b"POST /p/v1/rank HTTP/1.1\r\nHost: [::1]:9\r\nAuthorization: Bearer t\r\n"
        b"Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
    )
    text = b"".join(finish(url.head("POST", "/x"), Body([b"{}", memoryview(b"abc")], 2)))
    assert text.endswith(
        b"Content-Length: 5\r\nContent-Type: application/octet-stream\r\n"
        b"Inference-Header-Content-Length: 2\r\n\r\n{}abc"
    )
