"""Replicas that lie."""

BEHAVIOURS: dict[str, type] = {}
