"""What a person types, and the benchmarks behind `scripts/bench`."""
