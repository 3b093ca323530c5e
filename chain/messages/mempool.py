"""Between rpc, execution and the validators: transactions in, committed proposals and results out."""

from dataclasses import dataclass
from typing import NamedTuple

from chain.codec import message
from chain.proposals import CommitProof
from chain.types import Address, ExecutorIndex, Gas, Hash32, Height, Round, ValidatorIndex, Wei


class PooledTransaction(NamedTuple):
    """An admitted transaction with what a mempool needs to order it, computed once by rpc.

    `value` is the most that it can cost besides gas: what it moves, and what its blobs may cost.
    """

    hash: Hash32
    raw: bytes
    sender: Address
    nonce: int
    gas: Gas
    max_fee: Wei
    max_priority_fee: Wei
    value: Wei


class SenderState(NamedTuple):
    """A sender's nonce and balance after the newest executed block known to whoever says it."""

    address: Address
    nonce: int
    balance: Wei


@message(30)
@dataclass(frozen=True, slots=True)
class Admit:
    """rpc → validator: keep these until they are executed or evicted. Answer: Admitted, once they are durable.

    `senders` holds the state of each sender as of `height`.
    """

    transactions: tuple[PooledTransaction, ...]
    senders: tuple[SenderState, ...]
    height: Height


@message(31)
@dataclass(frozen=True, slots=True)
class Admitted:
    """validator → rpc: the transactions of an Admit that this mempool did not take, each with its reason."""

    refused: tuple[tuple[Hash32, str], ...]


@message(32)
@dataclass(frozen=True, slots=True)
class FollowConsensus:
    """rpc → validator: push a ConsensusNews at each change, an Evicted for each transaction given up."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """How often a validator refused what a peer sent, for one reason (the name of the error).

    `peer` is a validator's index; -1 stands for the validator's own state, -2 for strangers at its socket.
    """

    peer: int
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class WrongExecutor:
    """An executor said that the header hash at a height is `said`; it is `expected` by the majority of the executors.

    Without `by_majority` it is what the same executor had said before.
    """

    executor: ExecutorIndex
    height: Height
    said: Hash32
    expected: Hash32
    by_majority: bool


@dataclass(frozen=True, slots=True)
class ExecutorsNews:
    """What a validator makes of the executors: those with numbers below `wanted` should run, but for the wrong ones.

    `disputed` is the height they differ on while nobody can say which of them is wrong, 0 if there is none; then one
    more is wanted than have spoken of it.
    """

    wanted: int
    disputed: Height
    wrong: tuple[WrongExecutor, ...]


@message(33)
@dataclass(frozen=True, slots=True)
class ConsensusNews:
    """One validator's view. The five heights are those of the newest block in each stage of its life.

    `executed` is the newest block whose hash the executors agree on. The hashes are header hashes; those of height 0
    are no header's. `committed_proposal` is the id of the newest committed proposal, whether it makes a block or not,
    and `committed_depth` how many there are from genesis (0): where two validators have the same, their chains are
    one. `late` counts, apart from `rejections`, what honest peers too say late or twice. `equivocating_turns` is in how
    many more turns it lies on request.
    """

    validator: ValidatorIndex
    round: Round
    leader: ValidatorIndex
    proposed: Height
    certified: Height
    committed: Height
    committed_depth: int
    committed_proposal: Hash32
    executed: Height
    executed_hash: Hash32
    verified: Height
    verified_hash: Hash32
    executors: ExecutorsNews
    timeouts: int
    mempool_transactions: int
    mempool_bytes: int
    connected_peers: int
    queued_bytes: int
    dropped_frames: int
    rejections: tuple[Rejection, ...]
    late: tuple[Rejection, ...]
    equivocating_turns: int


@message(34)
@dataclass(frozen=True, slots=True)
class Evicted:
    """validator → rpc: a transaction left the mempool without being included, and why."""

    hash: Hash32
    reason: str


@message(35)
@dataclass(frozen=True, slots=True)
class ReadMempool:
    """rpc → validator, after a restart of rpc: which transactions do you hold? Answer: MempoolPage.

    `after` is the hash that the previous page ended with, empty for the first.
    """

    after: bytes


@message(36)
@dataclass(frozen=True, slots=True)
class MempoolPage:
    transactions: tuple[PooledTransaction, ...]
    more: bool


@message(37)
@dataclass(frozen=True, slots=True)
class FollowCommits:
    """execution → validator: push a Committed for each proposal committed after the one whose id this is."""

    after: Hash32


@message(38)
@dataclass(frozen=True, slots=True)
class Committed:
    """validator → execution: a committed proposal that makes a block, encoded, in the order of the chain.

    `id` is its id, `after` that of the block-making proposal committed before it (the genesis id for height 1). With a
    `proof` nobody else's word is needed.
    """

    height: Height
    id: Hash32
    after: Hash32
    proposal: bytes
    proof: CommitProof | None = None


@message(47)
@dataclass(frozen=True, slots=True)
class CatchingUp:
    """validator → execution that follows commits: the proposal to follow from is not committed here.

    `committed` is the newest height that is. Said again whenever that changes, and once more when it is `done`.
    """

    committed: Height
    done: bool


@message(39)
@dataclass(frozen=True, slots=True)
class LeftOut:
    """A transaction that could not be included when its turn came.

    `retry` says that it may fit later (a nonce gap, a low fee); else it is evicted, with the reason.
    """

    hash: Hash32
    reason: str
    retry: bool


@dataclass(frozen=True, slots=True)
class Production:
    """How leaders make blocks: at once when transactions wait (`automine`), and at an interval (0: not; None: as they
    were started). `operations` have been executed: the sequence number of the next.
    """

    automine: bool = True
    interval_ms: int | None = None
    operations: int = 0


AT_ONCE = Production()


@message(40)
@dataclass(frozen=True, slots=True)
class BlockResult:
    """execution → every validator: what became of a committed proposal. Answer: ResultsTaken.

    `gas_limit` and `next_base_fee` are those of the next block; `senders` the new state of every changed account that
    can send. `production` says how blocks are made from here on. `reverted` takes blocks back, whose transactions may
    come again. Of a height `undone` by a later one only the `header_hash` is known any more.
    """

    height: Height
    proposal: Hash32
    header_hash: Hash32
    gas_limit: Gas
    next_base_fee: Wei
    included: tuple[Hash32, ...]
    left_out: tuple[LeftOut, ...]
    senders: tuple[SenderState, ...]
    production: Production = AT_ONCE
    reverted: bool = False
    undone: bool = False


@message(46)
@dataclass(frozen=True, slots=True)
class ResultsTaken:
    """validator → execution: the newest height whose result is in this validator's store, and all before it.

    Results are taken in order only: one further on was not taken, and the sender goes back to the one after `newest`.
    """

    newest: Height


@message(41)
@dataclass(frozen=True, slots=True)
class SenderHints:
    """rpc → execution: who signed these transactions, so that nobody recovers a key twice. Answer: Done."""

    senders: tuple[tuple[Hash32, Address], ...]
