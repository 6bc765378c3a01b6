"""``hotrow serve``: the model server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or the model folder of one.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    name: Annotated[
        str | None, typer.Option(help="Name of the model in addresses; its registered name without.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes; this version has one.")] = 1,
    drain_s: Annotated[
        float, typer.Option(help="After SIGTERM: seconds to answer on while reporting not ready.")
    ] = 1.0,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Serve a model over HTTP: Open Inference Protocol v2, and a plain ranking call.

    SIGTERM: it reports not ready, finishes what was begun, and ends with 0.

    \b
    GET  /v2/health/live, /v2/health/ready, /v2/models/NAME
    POST /v2/models/NAME/infer, inputs:
         dense        rows x N, numbers as in the log, null where missing
         categorical  rows x F, BYTES, ids as text, "" where missing
         list.NAME    values of all rows, BYTES or INT64, for each list feature
         lengths.NAME rows, INT32 or INT64: how many of them are each row's
    POST /v1/rank, JSON object:
         candidates   list of objects, value by feature name; null: missing;
                      an array for a list feature, such as a history
         context      features that all candidates share (optional)
         top_k        how many of the best to return (optional)

    Scores are of the model's first task; `tasks` has all of several.

    \b
    Example:
      hotrow serve runs/a --port 8000 &
      curl localhost:8000/v1/rank -d '{"candidates": [{"I1": 3}, {"I1": 9}]}'
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.artifact import find_artifact, load_artifact
    from hotrow.errors import ConfigError
    from hotrow.serving import RankingService, ServerConfig
    from hotrow.serving import serve as run_server

    set_up_logging(verbose)
    if workers != 1:
        raise ConfigError("--workers", workers, "1: this version serves with one worker")
    config = ServerConfig(host=host, port=port, drain_seconds=drain_s)
    folder = find_artifact(run)

    def load() -> RankingService:
        artifact = load_artifact(folder)
        service = RankingService(name or artifact.name, artifact, config.limits)
        service.warm_up()
        return service

    def announce(served: str, url: str) -> None:
        _announce(served, url)
        if as_json:
            show({"name": served, "url": url}, as_json=True, text="")

    run_server(load, config, announce=announce)


def _announce(name: str, url: str) -> None:
    sys.stderr.write(f"serving {name} at {url} (POST /v2/models/{name}/infer, POST /v1/rank)\n")
    sys.stderr.flush()
