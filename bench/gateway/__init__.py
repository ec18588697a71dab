"""`make bench-gateway`: the gateway against its limit and its peers, all in one run."""
