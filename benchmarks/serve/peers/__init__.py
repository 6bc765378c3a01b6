"""The same DLRM behind what people would otherwise write or use."""
