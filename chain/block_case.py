"""A block case: all that is needed to run one block again anywhere, without the chain it came from.

What --check-serial saves when a block differs, what tandem_getBlockCase gives, and what `tandem replay` and `tandem
compare` run. `chain.block_case_json` is its form in files and over JSON-RPC.
"""

from dataclasses import dataclass, field

from chain.messages.execution import BlockEnvironment
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei


@dataclass(frozen=True, slots=True)
class CaseTransaction:
    """A signed envelope and who signed it; no sender if the envelope is malformed and the block left it out."""

    raw: bytes
    sender: Address | None


@dataclass(frozen=True, slots=True)
class CaseAccount:
    """An account before the block, with the slots of it that are known. A slot that is not given is zero."""

    nonce: int
    balance: Wei
    code: bytes
    slots: dict[int, int]


@dataclass(frozen=True, slots=True)
class ExpectedBlock:
    """What the header of the block says that execution alone decides.

    No receipts root before Byzantium, when receipts held state roots, which nobody knows from a part of the state.
    """

    gas_used: Gas
    receipts_root: Hash32 | None
    logs_bloom: bytes


@dataclass(frozen=True, slots=True)
class DifferingTransaction:
    """What became of one transaction in the run that was found wrong and in the serial one, in words."""

    position: int
    found: str
    serial: str


@dataclass(frozen=True, slots=True)
class CaseMismatch:
    """How `strategy` with so many `workers` came to something else than serial execution."""

    strategy: str
    workers: int
    differences: tuple[str, ...]
    transactions: tuple[DifferingTransaction, ...]


@dataclass(frozen=True, slots=True)
class BlockCase:
    """One block to run: its inputs, its transactions in order, and the state before it as far as it is read.

    An account that is not in `accounts` does not exist. `block_hashes` has the parent's hash and those that the block
    asks for. `credits` are what the rules pay after the last transaction, such as withdrawals (EIP-4895). `expected`
    and `mismatch` are there if known.
    """

    environment: BlockEnvironment
    transactions: tuple[CaseTransaction, ...]
    accounts: dict[Address, CaseAccount]
    block_hashes: dict[BlockNumber, Hash32]
    parent_beacon_root: Hash32 = ZERO_HASH
    credits: dict[Address, Wei] = field(default_factory=dict)
    expected: ExpectedBlock | None = None
    mismatch: CaseMismatch | None = None
