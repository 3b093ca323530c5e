"""Benchmarks: a node over JSON-RPC, any Ethereum node alike, and consensus alone. Run `scripts/bench --help`."""
