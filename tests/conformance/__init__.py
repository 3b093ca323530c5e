"""Ethereum's official state tests, run through the engine."""
