"""Benchmarks over JSON-RPC, the same for any Ethereum node: run `scripts/bench --help`."""
