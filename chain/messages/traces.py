"""Traces of stored blocks: rpc asks a reader worker what every transaction read and wrote."""

from dataclasses import dataclass

from chain.block_case import BlockCase, CaseTransaction, ExpectedBlock
from chain.codec import message
from chain.messages.calls import AccountOverride, CallMessage
from chain.messages.execution import BlockEnvironment
from chain.records import AccessKind
from chain.types import Address, Gas, Hash32, Version


@dataclass(frozen=True, slots=True)
class Access:
    """One read or write of one key.

    `slot` is 0 unless `kind` is SLOT. The value read is the one there was before the transaction (of BALANCE_AT_LEAST
    the least that would do, of EMPTINESS 0 or 1), the value written the one there is after it. A code is given by its
    hash, as a number.
    """

    kind: AccessKind
    address: Address
    slot: int
    value: int


@dataclass(frozen=True, slots=True)
class TransactionTrace:
    """What one transaction, or the system calls at one end of a block, did with the state.

    `accounts` and `slots` are all that was looked at, whether or not anything depended on it. `writes` holds only what
    is another value after it, balances with the fees that the transaction paid. `preimages` are those of the hashes
    that slots lie at or after.
    """

    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    accounts: tuple[Address, ...]
    slots: tuple[tuple[Address, int], ...]
    preimages: dict[Hash32, bytes]
    thread_us: int
    gas_used: Gas


@message(110)
@dataclass(frozen=True, slots=True)
class TraceBlock:
    """rpc → reader: run the block again on the state at `base`, the version before it. Answer: BlockTrace, TraceFailed.

    Calls are run between two of its transactions. It is given up after `time_limit_ms`, and nothing is told of a run
    that comes to other gas than is expected.
    """

    trace_id: int
    base: Version
    environment: BlockEnvironment
    parent_hash: Hash32
    parent_beacon_root: Hash32
    transactions: tuple[CaseTransaction, ...]
    expected: ExpectedBlock | None
    time_limit_ms: int


@message(111)
@dataclass(frozen=True, slots=True)
class BlockTrace:
    """`start` and `end` are the system calls before and after the transactions, `codes` those that were written, by
    hash. `case` is the block with the state that was read."""

    trace_id: int
    start: TransactionTrace
    transactions: tuple[TransactionTrace, ...]
    end: TransactionTrace
    codes: dict[Hash32, bytes]
    case: BlockCase


REFUSED = "tracing failed: "
"""What a TraceFailed begins with where a run could not even begin, as geth's tracers say it."""


@message(112)
@dataclass(frozen=True, slots=True)
class TraceFailed:
    """Why there is no trace."""

    trace_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call that is traced on the state after what was run, other calls among it, in an environment of its own."""

    call: CallMessage
    environment: BlockEnvironment
    overrides: tuple[AccountOverride, ...]


@message(113)
@dataclass(frozen=True, slots=True)
class TraceRuns:
    """rpc → reader: run transactions one by one, then the calls, and trace those from `first_traced` on.

    Answer: RunTraces, TraceFailed. With `begins_block` the state at `base` is that before the block of `environment`.
    `block_hash` is the hash of the block that the transactions are of. `tracer` is one of geth's names, empty for its
    default one; `options` is its JSON object. Each run has `run_limit_ms`, all together `time_limit_ms`.
    """

    trace_id: int
    base: Version
    environment: BlockEnvironment
    begins_block: bool
    block_hash: Hash32
    parent_hash: Hash32
    parent_beacon_root: Hash32
    transactions: tuple[CaseTransaction, ...]
    first_traced: int
    calls: tuple[TracedCall, ...]
    tracer: str
    options: bytes
    run_limit_ms: int
    time_limit_ms: int


@message(114)
@dataclass(frozen=True, slots=True)
class RunTraces:
    """The JSON of each traced run, in order, each by itself compressed by zlib."""

    trace_id: int
    traces: tuple[bytes, ...]
