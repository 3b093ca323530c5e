"""All modules that register methods. Importing this one fills the registry."""

from rpc import (
    blocks,
    calls,
    consensus,
    contracts,
    executions,
    faults,
    fees,
    filters,
    logs,
    network,
    sending,
    state,
    status,
    subscriptions,
    transactions,
    txpool,
)

__all__ = [
    "blocks",
    "calls",
    "consensus",
    "contracts",
    "executions",
    "faults",
    "fees",
    "filters",
    "logs",
    "network",
    "sending",
    "state",
    "status",
    "subscriptions",
    "transactions",
    "txpool",
]
