"""Slots that lie where a name's hash says: EIP-1967's for proxies, and the namespaces of ERC-7201."""

from chain.keccak import keccak256

NAMESPACE_SLOTS = 256
"""A namespace begins at a multiple of 256 (ERC-7201); a struct of more slots than that would be a rare one."""


def _number(hash: bytes) -> int:
    return int.from_bytes(hash, "big")


def erc1967_slot(purpose: str) -> int:
    """keccak256("eip1967.proxy.<purpose>") - 1."""
    return _number(keccak256(f"eip1967.proxy.{purpose}".encode())) - 1


def erc7201_slot(namespace: str) -> int:
    """keccak256(keccak256(namespace) - 1) with its low byte cleared."""
    inner = _number(keccak256(namespace.encode())) - 1
    return _number(keccak256(inner.to_bytes(32, "big"))) & ~0xFF


IMPLEMENTATION_SLOT = erc1967_slot("implementation")
BEACON_SLOT = erc1967_slot("beacon")
PROXIABLE_SLOT = _number(keccak256(b"PROXIABLE"))
"""ERC-1822's implementation slot."""

SINGLE_SLOTS = {
    IMPLEMENTATION_SLOT: "EIP-1967 implementation",
    BEACON_SLOT: "EIP-1967 beacon",
    erc1967_slot("admin"): "EIP-1967 admin",
    erc1967_slot("rollback"): "EIP-1967 rollback",
    PROXIABLE_SLOT: "ERC-1822 implementation",
    _number(keccak256(b"org.zeppelinos.proxy.implementation")): "ZeppelinOS implementation",
    _number(keccak256(b"org.zeppelinos.proxy.admin")): "ZeppelinOS admin",
}

OPENZEPPELIN = (
    "AccessControl", "AccessControlDefaultAdminRules", "AccessControlEnumerable", "AccessManaged", "AccessManager",
    "EIP712", "ERC1155", "ERC1155Supply", "ERC1155URIStorage", "ERC20", "ERC20Capped", "ERC20FlashMint",
    "ERC20Votes", "ERC20Wrapper", "ERC2981", "ERC4626", "ERC721", "ERC721Enumerable", "ERC721URIStorage",
    "ERC721Votes", "ERC721Wrapper", "Governor", "GovernorCountingSimple", "GovernorPreventLateQuorum",
    "GovernorSettings", "GovernorStorage", "GovernorTimelockAccess", "GovernorTimelockControl", "GovernorVotes",
    "GovernorVotesQuorumFraction", "Initializable", "Nonces", "NoncesKeyed", "Ownable", "Ownable2Step", "Pausable",
    "ReentrancyGuard", "TimelockController", "VestingWallet", "VestingWalletCliff", "Votes",
)  # fmt: skip
"""The contracts of OpenZeppelin Contracts Upgradeable 5 that keep a namespace."""

NAMESPACES = {erc7201_slot(f"openzeppelin.storage.{name}"): f"openzeppelin.storage.{name}" for name in OPENZEPPELIN}


def well_known(slot: int) -> str | None:
    """What a slot is by its number alone: a proxy's, or one in a known namespace."""
    if slot in SINGLE_SLOTS:
        return SINGLE_SLOTS[slot]
    offset = slot % NAMESPACE_SLOTS
    name = NAMESPACES.get(slot - offset)
    if name is None:
        return None
    return name if offset == 0 else f"{name} + {offset}"
