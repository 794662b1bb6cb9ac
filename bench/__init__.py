"""Benches: each figure is `{what, figure, unit, n, at, machine}` in bench/results/latest.json. A timing never decides a test."""
