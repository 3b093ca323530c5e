"""What makes a block invalid before any of its transactions runs: its header against its parent's, and its roots."""

from collections.abc import Callable, Mapping, Sequence

from chain import rlp
from chain.fees import max_blob_gas, next_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.headers import EMPTY_OMMERS_HASH, Header
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT, ordered_root
from chain.types import ZERO_HASH, Gas, Hash32, Wei
from node.conformance.blocks import Block, BlockHeader, fields_of

MIN_GAS_LIMIT, MAX_GAS_LIMIT = 5_000, 2**63 - 1
GAS_LIMIT_QUOTIENT = 1_024
ELASTICITY = 2
INITIAL_BASE_FEE = 1_000_000_000
MAX_EXTRA_DATA = 32
MIN_DIFFICULTY, DIFFICULTY_QUOTIENT = 131_072, 2_048
MAX_OMMERS, MAX_OMMER_AGE = 2, 6
MAX_BLOCK_BYTES = 8 * 1024 * 1024  # EIP-7934: 10 MiB without a margin of 2


class InvalidBlock(Exception):
    """A block that breaks a rule; the text says which."""


def check(*, holds: bool, rule: str) -> None:
    if not holds:
        raise InvalidBlock(rule)


def check_block(block: Block, ancestors: Sequence[Block], fork_of: Callable[[BlockHeader], Fork]) -> None:
    """Everything that needs no execution. `ancestors` are the block's, its parent first. Raises InvalidBlock."""
    header, fork = block.header, fork_of(block.header)
    check_header(header, ancestors[0].header, fork)
    if fork >= Fork.OSAKA:
        check(holds=block.size <= MAX_BLOCK_BYTES, rule=f"block of {block.size} bytes")
    ommers = [ommer.encoded for ommer in block.ommers]
    check(holds=ordered_root(block.transactions) == header.transactions_root, rule="transactions root")
    check(holds=keccak256(rlp.encode_list(ommers)) == header.ommers_hash, rule="ommers hash")
    _check_withdrawals(block, fork)
    if fork >= Fork.PARIS:
        check(holds=not block.ommers, rule="ommers after the merge")
    _check_ommers(block, ancestors, fork_of)


def check_header(header: BlockHeader, parent: BlockHeader, fork: Fork) -> None:
    """Raises InvalidBlock."""
    check(holds=len(rlp.decode_list(rlp.decode(header.encoded))) == fields_of(fork), rule="fields of the header")
    check(holds=header.number == parent.number + 1, rule=f"number {header.number} after {parent.number}")
    check(holds=header.timestamp > parent.timestamp, rule="timestamp not after the parent's")
    check(holds=header.timestamp < 2**64, rule="timestamp beyond 64 bits")
    check(holds=len(header.extra_data) <= MAX_EXTRA_DATA, rule=f"extra data of {len(header.extra_data)} bytes")
    check(holds=header.gas_used <= header.gas_limit, rule="more gas used than the limit")
    _check_gas_limit(header, parent, fork)
    if fork >= Fork.LONDON:
        wanted = next_base_fee(fee_header(parent)) if parent.base_fee is not None else Wei(INITIAL_BASE_FEE)
        check(holds=header.base_fee == wanted, rule=f"base fee {header.base_fee}, not {wanted}")
    if fork >= Fork.PARIS:
        check(holds=header.difficulty == 0, rule="difficulty after the merge")
        check(holds=header.nonce == bytes(8), rule="nonce after the merge")
        check(holds=header.ommers_hash == EMPTY_OMMERS_HASH, rule="ommers hash after the merge")
    else:
        wanted_difficulty = _difficulty(header.timestamp, parent, fork)
        check(holds=header.difficulty == wanted_difficulty, rule=f"difficulty, which is {wanted_difficulty}")
    if fork >= Fork.CANCUN:
        _check_blob_gas(header, parent, fork)


def fee_header(header: BlockHeader) -> Header:
    """The header as far as the fees of the next block depend on it."""
    return Header(
        parent_hash=header.parent_hash,
        beneficiary=header.beneficiary,
        state_root=ZERO_HASH,
        transactions_root=ZERO_HASH,
        receipts_root=ZERO_HASH,
        logs_bloom=b"",
        number=header.number,
        gas_limit=header.gas_limit,
        gas_used=header.gas_used,
        timestamp=header.timestamp,
        prev_randao=header.prev_randao,
        base_fee=header.base_fee or Wei(0),
        blob_gas_used=header.blob_gas_used or Gas(0),
        excess_blob_gas=header.excess_blob_gas or Gas(0),
    )


def _check_gas_limit(header: BlockHeader, parent: BlockHeader, fork: Fork) -> None:
    """Within a 1,024th of the parent's, which London's first block took as twice as much (EIP-1559)."""
    before = parent.gas_limit * (ELASTICITY if fork >= Fork.LONDON and parent.base_fee is None else 1)
    check(holds=abs(header.gas_limit - before) < before // GAS_LIMIT_QUOTIENT, rule="gas limit too far from the last")
    check(holds=header.gas_limit <= MAX_GAS_LIMIT, rule=f"gas limit {header.gas_limit}")
    check(holds=header.gas_limit >= MIN_GAS_LIMIT, rule=f"gas limit {header.gas_limit}")


def _check_blob_gas(header: BlockHeader, parent: BlockHeader, fork: Fork) -> None:
    wanted = next_excess_blob_gas(fee_header(parent), fork)
    check(holds=header.excess_blob_gas == wanted, rule=f"excess blob gas {header.excess_blob_gas}, not {wanted}")
    used = header.blob_gas_used
    check(holds=used is not None and used <= max_blob_gas(fork), rule=f"blob gas used {used}")


def _check_withdrawals(block: Block, fork: Fork) -> None:
    if fork < Fork.SHANGHAI:
        check(holds=block.withdrawals is None, rule="withdrawals before Shanghai")
        return
    check(holds=block.withdrawals is not None, rule="no withdrawals")
    rows = [withdrawal.encoded for withdrawal in block.withdrawals or ()]
    root = ordered_root(rows) if rows else EMPTY_ROOT
    check(holds=root == block.header.withdrawals_root, rule="withdrawals root")


def _check_ommers(block: Block, ancestors: Sequence[Block], fork_of: Callable[[BlockHeader], Fork]) -> None:
    """At most two, each the child of a recent ancestor, none of them in the chain already."""
    check(holds=len(block.ommers) <= MAX_OMMERS, rule=f"{len(block.ommers)} ommers")
    recent = ancestors[: MAX_OMMER_AGE + 1]
    known = {ancestor.header.hash for ancestor in recent} | {block.header.hash}
    known |= {ommer.hash for ancestor in recent for ommer in ancestor.ommers}
    parents: Mapping[Hash32, BlockHeader] = {ancestor.header.hash: ancestor.header for ancestor in recent[1:]}
    for ommer in block.ommers:
        check(holds=ommer.hash not in known, rule="an ommer that the chain has already")
        known.add(ommer.hash)
        check(holds=ommer.parent_hash in parents, rule="an ommer that is no recent relative")
        check_header(ommer, parents[ommer.parent_hash], fork_of(ommer))


def _difficulty(timestamp: int, parent: BlockHeader, fork: Fork) -> int:
    """Without the bomb, which goes off beyond any test's blocks (from block 200,000 on)."""
    step, seconds = parent.difficulty // DIFFICULTY_QUOTIENT, timestamp - parent.timestamp
    if fork >= Fork.BYZANTIUM:
        change = max((1 if parent.ommers_hash == EMPTY_OMMERS_HASH else 2) - seconds // 9, -99)
    elif fork >= Fork.HOMESTEAD:
        change = max(1 - seconds // 10, -99)
    else:
        change = 1 if seconds < 13 else -1
    return max(parent.difficulty + step * change, min(parent.difficulty, MIN_DIFFICULTY))
