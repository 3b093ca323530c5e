"""Executes a block of a blockchain test on the state of its parent, and holds the result against its header."""

from dataclasses import dataclass, field

from chain.errors import ChainError
from chain.fees import BLOB_GAS_PER_BLOB, max_blob_gas
from chain.forks import Fork
from chain.merkle import ordered_root
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log, Receipt, bloom_of
from chain.transactions import decode_transaction
from chain.types import ZERO_HASH, Address, Gas, Hash32, Wei
from execution.errors import CannotInclude, InvalidDepositLog, SystemContractFailed
from execution.outcome import Writes
from node.conformance.block_rules import InvalidBlock, check
from node.conformance.blocks import Block
from node.conformance.engines import engine_for
from node.conformance.memory_state import MemoryState

ETHER = 10**18
REWARDS = ((Fork.PARIS, 0), (Fork.CONSTANTINOPLE, 2 * ETHER), (Fork.BYZANTIUM, 3 * ETHER), (Fork.FRONTIER, 5 * ETHER))


@dataclass
class _Execution:
    """The block so far."""

    gas_used: int = 0
    blob_gas_used: int = 0
    logs: list[Log] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)


def execute_block(block: Block, state: MemoryState, fork: Fork, chain_id: int, evm: str) -> None:
    """Changes the state. Raises InvalidBlock."""
    header, engine = block.header, engine_for(fork, evm)
    environment, done = _environment(block, fork, chain_id), _Execution()
    writes, parent_hash_slot = engine.block_start(environment, header.parent_beacon_root or ZERO_HASH, state)
    if parent_hash_slot is not None:
        writes.slots[parent_hash_slot] = int.from_bytes(header.parent_hash, "big")
    state.apply(writes)
    for position, raw in enumerate(block.transactions):
        try:
            _execute_transaction(raw, environment, state, done, evm)
        except (CannotInclude, ChainError) as refusal:
            raise InvalidBlock(f"transaction {position}: {type(refusal).__name__}: {refusal}") from None
    _pay(block, state, fork)
    try:
        writes, requests_hash = engine.block_end(environment, done.logs, state)
    except (SystemContractFailed, InvalidDepositLog) as error:
        raise InvalidBlock(str(error)) from None
    state.apply(writes)
    _check_result(block, done, requests_hash, state)


def _environment(block: Block, fork: Fork, chain_id: int) -> BlockEnvironment:
    header = block.header
    difficulty = Hash32(header.difficulty.to_bytes(32, "big"))
    return BlockEnvironment(
        chain_id=chain_id,
        fork=fork,
        number=header.number,
        timestamp=header.timestamp,
        beneficiary=header.beneficiary,
        prev_randao=header.prev_randao if fork >= Fork.PARIS else difficulty,
        gas_limit=header.gas_limit,
        base_fee=header.base_fee or Wei(0),
        excess_blob_gas=header.excess_blob_gas or Gas(0),
    )


def _execute_transaction(
    raw: bytes, environment: BlockEnvironment, state: MemoryState, done: _Execution, evm: str
) -> None:
    fork = environment.fork
    any_s = fork < Fork.HOMESTEAD
    transaction = decode_transaction(raw, any_s=any_s)
    left = environment.gas_limit - done.gas_used
    check(holds=transaction.gas <= left, rule=f"{transaction.gas} gas where {left} are left")
    done.blob_gas_used += BLOB_GAS_PER_BLOB * len(transaction.blob_hashes)
    check(holds=done.blob_gas_used <= max_blob_gas(fork), rule=f"blob gas {done.blob_gas_used}")
    sender = transaction.sender(any_s=any_s)
    outcome = engine_for(fork, evm).execute(transaction, sender, environment, state)
    state.apply(outcome.writes)
    state.apply(Writes(balances={environment.beneficiary: outcome.fee}))
    done.gas_used += outcome.gas_used
    done.logs += outcome.logs
    receipt = Receipt(
        type=transaction.type,
        succeeded=outcome.succeeded,
        gas_used=outcome.gas_used,
        cumulative_gas=Gas(done.gas_used),
        logs=outcome.logs,
        gas_price=outcome.gas_price,
    )
    done.receipts.append(receipt.encode(state.root() if fork < Fork.BYZANTIUM else None))


def _pay(block: Block, state: MemoryState, fork: Fork) -> None:
    """Withdrawals (EIP-4895), and before the merge what the miners of the block and of its ommers get."""
    balances: dict[Address, int] = {}

    def credit(address: Address, amount: int) -> None:
        balances[address] = balances.get(address, 0) + amount

    for withdrawal in block.withdrawals or ():
        credit(withdrawal.address, withdrawal.amount)
    reward = next(amount for since, amount in REWARDS if fork >= since)
    if reward:
        credit(block.header.beneficiary, reward + reward // 32 * len(block.ommers))
        for ommer in block.ommers:
            credit(ommer.beneficiary, reward * (8 + ommer.number - block.header.number) // 8)
    state.apply(Writes(balances=balances))


def _check_result(block: Block, done: _Execution, requests_hash: Hash32 | None, state: MemoryState) -> None:
    header = block.header
    check(holds=done.gas_used == header.gas_used, rule=f"gas used is {done.gas_used}, not {header.gas_used}")
    check(holds=bloom_of(done.logs) == header.logs_bloom, rule="bloom")
    check(holds=ordered_root(done.receipts) == header.receipts_root, rule="receipts root")
    blob_gas = header.blob_gas_used
    check(holds=blob_gas in (None, done.blob_gas_used), rule=f"blob gas used is {done.blob_gas_used}, not {blob_gas}")
    check(holds=requests_hash == header.requests_hash, rule="requests hash")
    root = state.root()
    check(holds=root == header.state_root, rule=f"state root is 0x{root.hex()}, not 0x{header.state_root.hex()}")
