"""A simulated car brand with known truth, for demos, tests and benchmarks (docs/sample.md)."""
