"""Which requests find what was sent before them in a block.

hardhat node, ganache and anvil have mined a transaction when they answer with its hash, or a moment later. Tests
written for them send, and then call, count or take a snapshot, without asking for the receipt. Here a block takes some
milliseconds, and it is not the sender who is kept waiting for it but whoever reads afterwards.
"""

AT_ONCE_NAMESPACES = (
    "net_",
    "web3_",
    "rpc_",
    "txpool_",
    "personal_",
    "wallet_",
    "tandem_",
    "eth_sign",
    "eth_send",
    "admin_",
)
AT_ONCE = frozenset(
    (
        "eth_accounts",
        "eth_chainId",
        "eth_fillTransaction",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_pendingTransactions",
        "eth_protocolVersion",
        "eth_requestAccounts",
        "eth_resend",
        "eth_subscribe",
        "eth_syncing",
        "eth_unsubscribe",
        "eth_uninstallFilter",
    )
)
"""What says nothing of the chain's newest state, sends, shows the pool, or waits for one transaction by itself."""

SENDING = ("eth_send", "eth_resend", "personal_sendTransaction")


def sends(method: str) -> bool:
    """Whether what stands behind the method in a batch waits until it is answered."""
    return method.startswith(SENDING)


def reads_what_was_sent(method: str) -> bool:
    """Whether the method waits for the transactions that were sent before it."""
    return method not in AT_ONCE and not method.startswith(AT_ONCE_NAMESPACES)
