"""Open Inference Protocol v2 over gRPC; needs ``grpcio`` and ``protobuf``."""
