"""Execution's news for rpc, and what a block's transactions see of their block."""

from dataclasses import dataclass

from chain.codec import message, recurring
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import EMPTY_BLOOM, EMPTY_REQUESTS_HASH, Header
from chain.merkle import EMPTY_ROOT
from chain.messages.mempool import LeftOut, SenderState
from chain.messages.storage import StoredBlock
from chain.operations import INITIAL_SETTINGS, BlockSettings, OperationDone
from chain.system_contracts import DEPOSIT_CONTRACT
from chain.types import (
    ZERO_HASH,
    Address,
    BlockNumber,
    Gas,
    Hash32,
    Height,
    PretendedSignature,
    ValidatorIndex,
    Wei,
)


@recurring
@dataclass(frozen=True, slots=True)
class BlockEnvironment:
    """What the bytecode of a block sees of it. Time in seconds.

    `blob_base_fee` is what a call pretends the price of blob gas to be; None is the price of `excess_blob_gas`.
    `signatures` are what an operator has ECRECOVER pretend.
    """

    chain_id: int
    fork: Fork
    number: BlockNumber
    timestamp: int
    beneficiary: Address
    prev_randao: Hash32
    gas_limit: Gas
    base_fee: Wei
    excess_blob_gas: Gas
    blob_base_fee: Wei | None = None
    deposit_contract: Address = DEPOSIT_CONTRACT
    signatures: tuple[PretendedSignature, ...] = ()

    @classmethod
    def of(cls, header: Header, chain_id: int, forks: ForkSchedule) -> "BlockEnvironment":
        """That of the block with this header. Until the merge, prevRandao is the difficulty (EIP-4399)."""
        fork = forks.at(header.number, header.timestamp)
        difficulty = Hash32(header.difficulty.to_bytes(32, "big"))
        return cls(
            chain_id=chain_id,
            fork=fork,
            number=header.number,
            timestamp=header.timestamp,
            beneficiary=header.beneficiary,
            prev_randao=header.prev_randao if fork >= Fork.PARIS else difficulty,
            gas_limit=header.gas_limit,
            base_fee=header.base_fee or Wei(0),
            excess_blob_gas=header.excess_blob_gas or Gas(0),
            deposit_contract=forks.deposit_contract,
        )

    def header(self) -> Header:
        """The header of a block without transactions here, but for what it stands on and what it leads to.

        The merge is behind it: difficulty and nonce are zero.
        """
        fork = self.fork
        return Header(
            parent_hash=ZERO_HASH,
            beneficiary=self.beneficiary,
            state_root=ZERO_HASH,
            transactions_root=EMPTY_ROOT,
            receipts_root=EMPTY_ROOT,
            logs_bloom=EMPTY_BLOOM,
            number=self.number,
            gas_limit=self.gas_limit,
            gas_used=Gas(0),
            timestamp=self.timestamp,
            prev_randao=self.prev_randao,
            base_fee=self.base_fee if fork >= Fork.LONDON else None,
            withdrawals_root=EMPTY_ROOT if fork >= Fork.SHANGHAI else None,
            blob_gas_used=Gas(0) if fork >= Fork.CANCUN else None,
            excess_blob_gas=self.excess_blob_gas if fork >= Fork.CANCUN else None,
            parent_beacon_root=ZERO_HASH if fork >= Fork.CANCUN else None,
            requests_hash=EMPTY_REQUESTS_HASH if fork >= Fork.PRAGUE else None,
        )


@message(42)
@dataclass(frozen=True, slots=True)
class FollowBlocks:
    """rpc → execution: push a BlockNews for each height after this one, once storage has it."""

    after: Height


@message(43)
@dataclass(frozen=True, slots=True)
class BlockNews:
    """A height was executed and is durable. The block is the newest then, and the last of the `blocks` made.

    `committed` is the newest committed height execution knew then, so `committed - height` is the lag. `retries` counts
    second attempts. `included` are the transactions of the proposal that are in the height's first block, `left_out`
    the others. `settings` hold from here on; `operation` is what became of the height's, if it has one. `reverted` says
    that blocks were taken back. `block` is the height's only block, with its receipts, if it is small and has just been
    executed: whoever waits for a receipt need not wait for another read of storage, which has the block already.
    `leader` is the validator that proved the commit, if one did and nothing newer is committed: the next round is its.
    """

    height: Height
    number: BlockNumber
    hash: Hash32
    timestamp: int
    gas_used: Gas
    gas_limit: Gas
    base_fee: Wei
    next_base_fee: Wei
    included: tuple[Hash32, ...]
    left_out: tuple[LeftOut, ...]
    senders: tuple[SenderState, ...]
    committed: Height
    strategy: str
    retries: int
    execution_us: int
    settings: BlockSettings = INITIAL_SETTINGS
    operation: OperationDone | None = None
    blocks: int = 1
    reverted: bool = False
    block: StoredBlock | None = None
    leader: ValidatorIndex | None = None


@message(44)
@dataclass(frozen=True, slots=True)
class ReadExecutionStatus:
    """Answer: ExecutionStatus."""


@message(45)
@dataclass(frozen=True, slots=True)
class ExecutionStatus:
    """Newest height executed, newest known committed, workers connected, tasks waiting and counters by name.

    `stalled` says why no block can ever follow; it is empty as long as one can.
    """

    executed: Height
    committed: Height
    strategy: str
    workers: int
    queued_tasks: int
    counters: dict[str, int]
    stalled: str
