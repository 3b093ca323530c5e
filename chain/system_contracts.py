"""The contracts that Ethereum's rules call by address at the edges of a block. Genesis must carry them.

Each was put on mainnet by a transaction whose signature was made up, so that its sender, and from that the contract's
address, follow from the bytecode (EIP-4788, 2935, 7002, 7251): `tests/chain/test_system_contracts.py` derives them.
"""

from dataclasses import dataclass

from chain.accounts import Account, AccountChange
from chain.forks import Fork
from chain.keccak import keccak256
from chain.types import Address

SYSTEM_ADDRESS = Address(bytes.fromhex("fffffffffffffffffffffffffffffffffffffffe"))
"""The sender of calls that the rules themselves make."""


@dataclass(frozen=True, slots=True)
class SystemContract:
    """A contract of the protocol, from the fork on that introduced it."""

    name: str
    address: Address
    code: bytes
    since: Fork

    def account(self) -> AccountChange:
        """The contract as genesis holds it: nonce 1, as after its creation, and empty storage."""
        return AccountChange(self.address, Account(nonce=1, code_hash=keccak256(self.code)), {}, code=self.code)


BEACON_ROOTS = SystemContract(
    "beacon roots (EIP-4788)",
    Address(bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")),
    bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff8106908154"
        "14603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500"
    ),
    Fork.CANCUN,
)

HISTORY_STORAGE = SystemContract(
    "history storage (EIP-2935)",
    Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")),
    bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257"
        "611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
    ),
    Fork.PRAGUE,
)
HISTORY_WINDOW_BLOCKS = 8191
"""How many parent hashes the history contract keeps, in a ring of slots."""

WITHDRAWAL_REQUESTS = SystemContract(
    "withdrawal requests (EIP-7002)",
    Address(bytes.fromhex("00000961ef480eb55e80d19ad83579a64c007002")),
    bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffff146101f457600182026001905f5b5f82111560685781019083028483029004916001019190604d565b9093"
        "90049250505036603814608857366101f457346101f4575f5260205ff35b34106101f4576001546001016001556003548060030260"
        "04013381556001015f35815560010160203590553360601b5f5260385f601437604c5fa0600101600355005b600354600254808203"
        "8060101160df575060105b5f5b8181146101835782810160030260040181604c02815460601b815260140181600101548152602001"
        "9060020154807fffffffffffffffffffffffffffffffff00000000000000000000000000000000168252906010019060401c908160"
        "381c81600701538160301c81600601538160281c81600501538160201c81600401538160181c81600301538160101c816002015381"
        "60081c81600101535360010160e1565b910180921461019557906002556101a0565b90505f6002555f6003555b5f54807fffffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff14156101cd57505f5b6001546002828201116101e25750505f"
        "6101e8565b01600290035b5f555f600155604c025ff35b5f5ffd"
    ),
    Fork.PRAGUE,
)

CONSOLIDATION_REQUESTS = SystemContract(
    "consolidation requests (EIP-7251)",
    Address(bytes.fromhex("0000bbddc7ce488642fb579f8b00f3a590007251")),
    bytes.fromhex(
        "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffff1461019a57600182026001905f5b5f82111560685781019083028483029004916001019190604d565b9093"
        "900492505050366060146088573661019a573461019a575f5260205ff35b341061019a576001546001016001556003548060040260"
        "04013381556001015f358155600101602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b60"
        "03546002548082038060021160e7575060025b5f5b8181146101295782810160040260040181607402815460601b81526014018160"
        "0101548152602001816002015481526020019060030154905260010160e9565b910180921461013b5790600255610146565b90505f"
        "6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff141561017357505f5b"
        "6001546001828201116101885750505f61018e565b01600190035b5f555f6001556074025ff35b5f5ffd"
    ),
    Fork.PRAGUE,
)

DEPOSIT_CONTRACT = Address(bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa"))
"""Where deposits come from (EIP-6110), mainnet's address. Genesis need not carry it."""

SYSTEM_CONTRACTS = (BEACON_ROOTS, HISTORY_STORAGE, WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS)


def system_accounts(fork: Fork) -> tuple[AccountChange, ...]:
    """What a genesis of this fork must carry."""
    return tuple(contract.account() for contract in SYSTEM_CONTRACTS if contract.since <= fork)
