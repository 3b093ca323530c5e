"""Ethereum's official tests, run through the engine: state tests and blockchain tests in JSON.

Formats: https://eest.ethereum.org ("State Tests", "Blockchain Tests") and https://ethereum-tests.readthedocs.io.
"""
