from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.listening import PATIENCE, Listening

from hotrow.serving import Limits, RankingService, ServerConfig
from hotrow.serving.live.page import page as page_of_the_server
from hotrow.serving.live.seconds import Gauges

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_the_page_brings_all_it_needs(client: Any) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", answer.text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)


def test_its_figures_are_those_of_the_server(client: Any) -> None:
    client.post("/v1/rank", {"candidates": [{}, {}]})
    client.front.last_seconds.tick(1.0, client.front.gauges())
    figures = client.get("/v1/live").json()
    assert (figures["model"], figures["state"], figures["sla_ms"]) == ("sums", "ready", None)
    assert figures["recent"]["requests_per_second"] == 1
    assert figures["seconds"]["rows_per_second"] == [2]
    assert figures["seconds"]["batch_size"] == [256]


def test_it_asks_for_figures_that_there_are(client: Any) -> None:
    client.front.last_seconds.tick(1.0, Gauges())
    known = client.get("/v1/live").json()["seconds"].keys()
    script = page_of_the_server().decode()
    tables = script[script.index("const TILES") : script.index("const W")]
    assert set(re.findall(r'\["([a-z0-9_]+)"', tables)) <= known


def test_before_loading_there_is_a_page_too(make_client: Any, scorer: Any) -> None:
    client = make_client(lambda: RankingService("sums", scorer, Limits()))
    assert client.get("/").status_code == 200
    assert client.get("/v1/live").json()["model"] is None


def shown(url: str, folder: Path) -> str:
    """Return the page as a browser has it after two seconds."""
    if BROWSER is None:
        pytest.skip("there is no chromium here")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1150,760"]
    options += [f"--user-data-dir={folder}", "--virtual-time-budget=2000", "--dump-dom"]
    browser = subprocess.run([BROWSER, *options, url], capture_output=True, timeout=PATIENCE, check=True)
    return browser.stdout.decode()


def test_a_browser_shows_it_under_load(scorer: Any, tmp_path: Path) -> None:
    with Listening(
        lambda: RankingService("sums", scorer, Limits()), ServerConfig(port=0)
    ).running() as server:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            while client.get("/v1/live").json()["recent"]["requests_per_second"] == 0:
                assert client.post("/v1/rank", json={"candidates": [{}] * 64}).status_code == 200
        page = shown(server.url, tmp_path)
    assert '<h1 id="model">sums</h1>' in page
    assert 'class="ready">ready<' in page
    assert re.search(r'data-name="requests_per_second"><b>[0-9.]*[1-9]', page)
    assert re.search(r'data-name="p99_ms"><b>[0-9]', page)
    assert page.count("<svg") == 4
    assert re.search(r'class="s s2" d="M[0-9]', page), "no line of the p99"


@pytest.mark.parametrize("given", [True, False])
def test_a_browser_needs_the_token_for_the_figures(scorer: Any, tmp_path: Path, given: bool) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    config = ServerConfig(port=0, token_file=tmp_path / "token")
    with Listening(lambda: RankingService("sums", scorer, Limits()), config).running() as server:
        page = shown(server.url + ("/#token=0123456789abcdef" if given else ""), tmp_path)
    assert ('<h1 id="model">sums</h1>' in page) == given
    assert ("this server wants its token" in page) != given
