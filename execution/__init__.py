"""Runs committed transactions: the engine (py-evm over a state view), scheduling strategies, the worker pool, block
assembly, and the record of every decision.
"""
