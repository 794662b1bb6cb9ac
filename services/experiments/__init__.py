"""What works: the statistics of experiments. Keeps nothing and emits nothing (docs/experiments.md, docs/adr/0025)."""
