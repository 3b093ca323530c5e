"""What makes a block invalid before any of its transactions runs: its header against its parent's, and its roots.

Sources: the yellow paper, EIP-100, 1559, 3675, 4844, 4895, 7685 and 7934. A miner's seal is not checked.
"""

from collections.abc import Mapping, Sequence

from chain import rlp
from chain.blocks import Block
from chain.errors import ChainError
from chain.fees import max_blob_gas, next_base_fee, next_excess_blob_gas
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import EMPTY_OMMERS_HASH, NO_NONCE, Header, count_fields, fields_of
from chain.keccak import keccak256
from chain.merkle import ordered_root
from chain.types import Hash32

MIN_GAS_LIMIT, MAX_GAS_LIMIT = 5_000, 2**63 - 1
GAS_LIMIT_QUOTIENT = 1_024
ELASTICITY = 2
MAX_EXTRA_DATA = 32
MIN_DIFFICULTY, DIFFICULTY_QUOTIENT = 131_072, 2_048
BOMB_PERIOD = 100_000
BOMB_DELAYS = ((Fork.LONDON, 9_700_000), (Fork.CONSTANTINOPLE, 5_000_000), (Fork.BYZANTIUM, 3_000_000))
"""By how many blocks forks put the difficulty bomb off; the glaciers in a schedule put it off further."""
MAX_OMMERS, MAX_OMMER_AGE = 2, 6
MAX_BLOCK_BYTES = 8 * 1024 * 1024  # EIP-7934: 10 MiB without a margin of 2


class InvalidBlock(ChainError):
    """A block that breaks a rule; the text says which."""


def check(*, holds: bool, rule: str) -> None:
    """Raises InvalidBlock."""
    if not holds:
        raise InvalidBlock(rule)


def check_block(block: Block, ancestors: Sequence[Block], forks: ForkSchedule) -> None:
    """Everything that needs no execution. `ancestors` are the block's, its parent first. Raises InvalidBlock."""
    header = block.header
    fork = forks.at(header.number, header.timestamp)
    check_header(header, ancestors[0].header, forks)
    if fork >= Fork.OSAKA:
        size = len(block.encode())
        check(holds=size <= MAX_BLOCK_BYTES, rule=f"block of {size} bytes")
    ommers = [ommer.encode() for ommer in block.ommers]
    check(holds=ordered_root(block.transactions) == header.transactions_root, rule="transactions root")
    check(holds=keccak256(rlp.encode_list(ommers)) == header.ommers_hash, rule="ommers hash")
    _check_withdrawals(block, fork)
    if fork >= Fork.PARIS:
        check(holds=not block.ommers, rule="ommers after the merge")
    _check_ommers(block, ancestors, forks)


def check_header(header: Header, parent: Header, forks: ForkSchedule) -> None:
    """Raises InvalidBlock."""
    fork = forks.at(header.number, header.timestamp)
    fields, wanted_fields = count_fields(header), fields_of(fork)
    check(holds=fields == wanted_fields, rule=f"a header of {fields} fields, where {fork.label} has {wanted_fields}")
    check(holds=header.number == parent.number + 1, rule=f"number {header.number} after {parent.number}")
    check(holds=header.timestamp > parent.timestamp, rule=f"time {header.timestamp} after {parent.timestamp}")
    check(holds=len(header.extra_data) <= MAX_EXTRA_DATA, rule=f"extra data of {len(header.extra_data)} bytes")
    check(holds=header.gas_used <= header.gas_limit, rule="more gas used than the limit")
    _check_gas_limit(header, parent, fork)
    if fork >= Fork.LONDON:
        wanted = next_base_fee(parent)
        check(holds=header.base_fee == wanted, rule=f"base fee {header.base_fee}, not {wanted}")
    if fork >= Fork.PARIS:
        check(holds=header.difficulty == 0, rule="difficulty after the merge")
        check(holds=header.nonce == NO_NONCE, rule="nonce after the merge")
        check(holds=header.ommers_hash == EMPTY_OMMERS_HASH, rule="ommers hash after the merge")
    else:
        delay = max((delay for since, delay in forks.glaciers if since <= header.number), default=0)
        difficulty = next_difficulty(header.timestamp, parent, fork, delay)
        check(holds=header.difficulty == difficulty, rule=f"difficulty {header.difficulty}, not {difficulty}")
    if fork >= Fork.CANCUN:
        _check_blob_gas(header, parent, fork)


def _check_gas_limit(header: Header, parent: Header, fork: Fork) -> None:
    """Within a 1,024th of the parent's, which London's first block took as twice as much (EIP-1559)."""
    before = parent.gas_limit * (ELASTICITY if fork >= Fork.LONDON and parent.base_fee is None else 1)
    near = abs(header.gas_limit - before) < before // GAS_LIMIT_QUOTIENT
    check(holds=near, rule=f"gas limit {header.gas_limit}, too far from its parent's {before}")
    check(holds=MIN_GAS_LIMIT <= header.gas_limit <= MAX_GAS_LIMIT, rule=f"gas limit {header.gas_limit}")


def _check_blob_gas(header: Header, parent: Header, fork: Fork) -> None:
    wanted = next_excess_blob_gas(parent, fork)
    check(holds=header.excess_blob_gas == wanted, rule=f"excess blob gas {header.excess_blob_gas}, not {wanted}")
    used = header.blob_gas_used
    check(holds=used is not None and used <= max_blob_gas(fork), rule=f"blob gas used {used}")


def _check_withdrawals(block: Block, fork: Fork) -> None:
    if fork < Fork.SHANGHAI:
        check(holds=block.withdrawals is None, rule="withdrawals before Shanghai")
        return
    check(holds=block.withdrawals is not None, rule="no withdrawals")
    rows = [withdrawal.encode() for withdrawal in block.withdrawals or ()]
    check(holds=ordered_root(rows) == block.header.withdrawals_root, rule="withdrawals root")


def _check_ommers(block: Block, ancestors: Sequence[Block], forks: ForkSchedule) -> None:
    """At most two, each the child of a recent ancestor, none of them in the chain already."""
    if not block.ommers:
        return
    check(holds=len(block.ommers) <= MAX_OMMERS, rule=f"{len(block.ommers)} ommers")
    recent = ancestors[: MAX_OMMER_AGE + 1]
    known = {ancestor.header.hash() for ancestor in recent} | {block.header.hash()}
    known |= {ommer.hash() for ancestor in recent for ommer in ancestor.ommers}
    parents: Mapping[Hash32, Header] = {ancestor.header.hash(): ancestor.header for ancestor in recent[1:]}
    for ommer in block.ommers:
        check(holds=ommer.hash() not in known, rule="an ommer that the chain has already")
        known.add(ommer.hash())
        check(holds=ommer.parent_hash in parents, rule="an ommer that is no recent relative")
        check_header(ommer, parents[ommer.parent_hash], forks)


def next_difficulty(timestamp: int, parent: Header, fork: Fork, delay: int = 0) -> int:
    """The difficulty of a block at this time after `parent`; a glacier puts the bomb off by `delay` blocks."""
    step, seconds = parent.difficulty // DIFFICULTY_QUOTIENT, timestamp - parent.timestamp
    if fork >= Fork.BYZANTIUM:
        change = max((1 if parent.ommers_hash == EMPTY_OMMERS_HASH else 2) - seconds // 9, -99)
    elif fork >= Fork.HOMESTEAD:
        change = max(1 - seconds // 10, -99)
    else:
        change = 1 if seconds < 13 else -1
    difficulty = max(parent.difficulty + step * change, min(parent.difficulty, MIN_DIFFICULTY))
    put_off = max(delay, next((blocks for since, blocks in BOMB_DELAYS if fork >= since), 0))
    periods = max(parent.number + 1 - put_off, 0) // BOMB_PERIOD
    return difficulty + (2 ** (periods - 2) if periods > 1 else 0)
