"""Training speed against peers: one file for each contender, ``suite`` lets them take turns."""
