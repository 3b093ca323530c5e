"""Executes a finished block of any fork on the state of its parent, and holds the result against its header.

Blocks that others made: of official tests, and of chains that are imported. One transaction after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from chain.blocks import Block
from chain.errors import ChainError
from chain.fees import BLOB_GAS_PER_BLOB, max_blob_gas
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.merkle import ordered_root
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log, Receipt, bloom_of
from chain.transactions import decode_transaction
from chain.types import ZERO_HASH, Address, Gas, Hash32
from execution.block_rules import InvalidBlock, check
from execution.block_run import TransactionEngine
from execution.errors import CannotInclude, InvalidDepositLog, SystemContractFailed
from execution.outcome import StateView, Writes

ETHER = 10**18
REWARDS = ((Fork.PARIS, 0), (Fork.CONSTANTINOPLE, 2 * ETHER), (Fork.BYZANTIUM, 3 * ETHER), (Fork.FRONTIER, 5 * ETHER))


class BlockState(StateView, Protocol):
    """A state that a block changes as it goes."""

    def apply(self, writes: Writes) -> None: ...

    def root(self) -> Hash32:
        """The state root now, which receipts hold before Byzantium."""
        ...


@dataclass(slots=True)
class Execution:
    """What the block's transactions came to."""

    environment: BlockEnvironment
    gas_used: int = 0
    blob_gas_used: int = 0
    senders: list[Address] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    @property
    def logs(self) -> list[Log]:
        return [log for receipt in self.receipts for log in receipt.logs]


def execute_block(
    block: Block,
    state: BlockState,
    chain_id: int,
    forks: ForkSchedule,
    engine_for: Callable[[Fork], TransactionEngine],
) -> Execution:
    """Changes the state, whose root is for the caller to compare. Raises InvalidBlock."""
    header = block.header
    done = Execution(BlockEnvironment.of(header, chain_id, forks))
    fork = done.environment.fork
    engine = engine_for(fork)
    writes, parent_hash_slot = engine.block_start(done.environment, header.parent_beacon_root or ZERO_HASH, state)
    if parent_hash_slot is not None:
        writes.slots[parent_hash_slot] = int.from_bytes(header.parent_hash, "big")
    state.apply(writes)
    for position, raw in enumerate(block.transactions):
        try:
            _execute_transaction(raw, state, done, engine)
        except (CannotInclude, ChainError) as refusal:
            raise InvalidBlock(f"transaction {position}: {type(refusal).__name__}: {refusal}") from None
    _pay(block, state, fork)
    try:
        writes, requests_hash = engine.block_end(done.environment, done.logs, state)
    except (SystemContractFailed, InvalidDepositLog) as error:
        raise InvalidBlock(str(error)) from None
    state.apply(writes)
    _check_result(block, done, requests_hash)
    return done


def _execute_transaction(raw: bytes, state: BlockState, done: Execution, engine: TransactionEngine) -> None:
    environment, fork = done.environment, done.environment.fork
    any_s = fork < Fork.HOMESTEAD
    transaction = decode_transaction(raw, any_s=any_s)
    left = environment.gas_limit - done.gas_used
    check(holds=transaction.gas <= left, rule=f"{transaction.gas} gas where {left} are left")
    done.blob_gas_used += BLOB_GAS_PER_BLOB * len(transaction.blob_hashes)
    check(holds=done.blob_gas_used <= max_blob_gas(fork), rule=f"blob gas {done.blob_gas_used}")
    sender = transaction.sender(any_s=any_s)
    outcome = engine.execute(transaction, sender, environment, state)
    state.apply(outcome.writes)
    state.apply(Writes(balances={environment.beneficiary: outcome.fee}))
    done.gas_used += outcome.gas_used
    done.senders.append(sender)
    state_root = state.root() if fork < Fork.BYZANTIUM else None
    done.receipts.append(outcome.receipt(transaction.type, Gas(done.gas_used), state_root))


def reward_of(fork: Fork) -> int:
    """What a block pays to who made it, in wei; nothing since the merge."""
    return next(amount for since, amount in REWARDS if fork >= since)


def _pay(block: Block, state: BlockState, fork: Fork) -> None:
    """Withdrawals (EIP-4895), and before the merge what the miners of the block and of its ommers get."""
    balances: dict[Address, int] = {}

    def credit(address: Address, amount: int) -> None:
        balances[address] = balances.get(address, 0) + amount

    for withdrawal in block.withdrawals or ():
        credit(withdrawal.address, withdrawal.amount)
    reward = reward_of(fork)
    if reward:
        credit(block.header.beneficiary, reward + reward // 32 * len(block.ommers))
        for ommer in block.ommers:
            credit(ommer.beneficiary, reward * (8 + ommer.number - block.header.number) // 8)
    state.apply(Writes(balances=balances))


def _check_result(block: Block, done: Execution, requests_hash: Hash32 | None) -> None:
    header = block.header
    check(holds=done.gas_used == header.gas_used, rule=f"gas used is {done.gas_used}, not {header.gas_used}")
    check(holds=bloom_of(done.logs) == header.logs_bloom, rule="bloom")
    root = ordered_root([receipt.encode() for receipt in done.receipts])
    wrong = f"receipts root is 0x{root.hex()}, not 0x{header.receipts_root.hex()}"
    check(holds=root == header.receipts_root, rule=wrong)
    blob_gas = header.blob_gas_used
    check(holds=blob_gas in (None, done.blob_gas_used), rule=f"blob gas used is {done.blob_gas_used}, not {blob_gas}")
    check(holds=requests_hash == header.requests_hash, rule="requests hash")
