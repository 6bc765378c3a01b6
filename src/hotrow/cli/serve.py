"""``hotrow serve``: the model server."""

from __future__ import annotations

import enum
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, naming_options, set_up_logging, show, tell
from hotrow.errors import ConfigError

if TYPE_CHECKING:
    from hotrow.serving import Certificate, Served

_LOG = logging.getLogger(__name__)

_FIELDS = (
    *("host", "port", "grpc_port", "name", "workers", "sla_ms", "batch_size", "device"),
    *("offload_threshold", "drain_seconds", "token_file", "tls_cert", "log_requests"),
)
"""Of the configuration, with an option of that name."""


class LogFormat(enum.StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def serve(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or the model folder of one.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    grpc_port: Annotated[
        int | None, typer.Option(help="Port to listen on for gRPC, too; 0 takes a free one.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model in addresses; its registered name without.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes, each with one thread; one per core without.")
    ] = None,
    sla_ms: Annotated[
        float | None,
        typer.Option(help="Latency promised; requests that would be later are refused at once."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Most rows that a worker scores at a time.")] = 256,
    device: Annotated[
        str | None, typer.Option(help="Of one more worker, for large queries: cuda, cuda:0, ...")
    ] = None,
    offload_threshold: Annotated[
        int | None, typer.Option(help="Queries of so many rows or more go whole to --device.")
    ] = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Let the batch size follow load and interference.")
    ] = False,
    drain_s: Annotated[
        float, typer.Option(help="After SIGTERM: seconds to answer on while reporting not ready.")
    ] = 1.0,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that requests must bring (Authorization: Bearer)."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file of the certificate, for https and gRPC with TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    log_requests: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the requests to log, 0 to 1.")
    ] = 0.0,
    log_format: Annotated[LogFormat, typer.Option(help="Lines of text or JSON objects.")] = LogFormat.TEXT,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Serve a model over HTTP and gRPC: Open Inference Protocol v2, and a plain ranking call.

    SIGTERM: it reports not ready, finishes what was begun, and ends with 0.
    SIGHUP: it loads the model again and changes to it without a pause.

    \b
    GET  /v2/health/live, /v2/health/ready, /v2/models/NAME
    POST /v2/models/NAME/infer, inputs:
         dense        rows x N, numbers as in the log, null where missing
         categorical  rows x F, BYTES, ids as text, "" where missing
         list.NAME    values of all rows, BYTES or INT64, for each list feature
         lengths.NAME rows, INT32 or INT64: how many of them are each row's
         or, of encoded rows: encoded.dense FP32, encoded.ids INT32,
         encoded.list.NAME INT32, lengths.NAME INT32; JSON or binary tensors
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
    from hotrow.artifact import find_artifact
    from hotrow.serving import EngineConfig, ServerConfig
    from hotrow.serving import serve as run_server

    set_up_logging(verbose)
    # Its few lines are told whatever else is.
    logging.getLogger("hotrow.serving.server").setLevel(logging.INFO)
    if log_format == LogFormat.JSON:
        from hotrow.serving.logs import write_json

        write_json()
    if device is not None and offload_threshold is None:
        raise ConfigError("--offload-threshold", None, f"rows from which queries go to --device {device}")

    def announce(served: Served) -> None:
        _announce(served)
        if as_json:
            show(asdict(served), as_json=True, text="")

    with naming_options(*_FIELDS):
        engine = EngineConfig(
            workers=len(os.sched_getaffinity(0)) if workers is None else workers,
            batch_size=batch_size,
            device=device,
            offload_threshold=offload_threshold,
            adapt=adapt,
            sla_ms=sla_ms,
        )
        config = ServerConfig(
            host=host,
            port=port,
            grpc_port=grpc_port,
            drain_seconds=drain_s,
            token_file=token_file,
            certificate=_certificate(tls_cert, tls_key),
            log_requests=log_requests,
            engine=engine,
        )
        run_server(find_artifact(run), config, name=name, announce=announce)


def _certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    from hotrow.serving import Certificate

    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise ConfigError("--tls-cert, --tls-key", str(chain or key), "both or none of them")
    return Certificate(chain, key)


def _announce(served: Served) -> None:
    from hotrow.serving.logs import is_json

    grpc = "" if served.grpc is None else f" and by gRPC at {served.grpc}"
    calls = f"POST /v2/models/{served.name}/infer, POST /v1/rank"
    text = f"serving {served.name} at {served.url}{grpc} ({calls})"
    if is_json():
        _LOG.setLevel(logging.INFO)  # it is told whatever else is
        _LOG.info("%s", text, extra={"fields": asdict(served)})
    else:
        tell(f"{text}\n")
