"""What `spotzee_logging` costs its host, beside its peers and the limits, in one run: `python -m benchmarks`."""
