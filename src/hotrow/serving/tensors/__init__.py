"""From the tensors of an inference request to rows, every claim of the client checked."""
