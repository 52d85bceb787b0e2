"""Measure the pipeline against the least work that could have the same result; see docs/benchmarks.md."""
