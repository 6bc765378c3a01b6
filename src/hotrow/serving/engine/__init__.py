"""Worker processes that share one memory-mapped artifact, and the queue before them."""
