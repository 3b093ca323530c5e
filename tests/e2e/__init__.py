"""Tests against a running chain, over its RPC only.

They start a chain of their own, or use the one whose HTTP address is in `TANDEM_TEST_URL`.
"""
