"""Compile the messages of the gRPC server, with grpcio-tools: ``python tools/compile_proto.py``."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "hotrow" / "serving" / "rpc"
SOURCE = FOLDER / "inference.proto"
TARGET = FOLDER / "inference.binpb"


def compile_proto(target: Path) -> None:
    """Write the descriptor of the messages, which protoc makes, to ``target``."""
    from grpc_tools import protoc

    words = ["protoc", f"-I{FOLDER}", f"--descriptor_set_out={target}", str(SOURCE)]
    if protoc.main(words):
        raise SystemExit(1)


if __name__ == "__main__":
    compile_proto(TARGET)
