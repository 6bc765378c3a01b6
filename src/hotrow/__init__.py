"""Train, shrink and serve deep recommendation models on the servers you have."""
