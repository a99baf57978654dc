"""Benchmarks: what the project promises in numbers, as ratios of one run. ``make bench-image``."""
