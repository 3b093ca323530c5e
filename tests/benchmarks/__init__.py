"""Tests of what the benchmarks work out."""
