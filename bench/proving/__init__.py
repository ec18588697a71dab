"""The proof against checkov and its own goals: what `bench/prove.py` measures with."""
