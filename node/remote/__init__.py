"""The remote chain of a fork, over JSON-RPC."""
