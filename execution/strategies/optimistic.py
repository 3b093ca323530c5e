"""Monad's scheduling: everything runs on the workers at once, and a transaction runs at most twice.

Only what belongs together is kept on one worker: a sender's transactions, and calls that will probably meet where calls
like them did. A loser runs a second time when its turn comes, on the final prefix. The execution process is a lane as
well: it runs some of the chains itself, each transaction when its turn comes, and all of them where what must go one
after the other leaves too little to run side by side.
"""

from collections.abc import Mapping, Sequence

from chain.records import AccessKind
from chain.types import Address, Hash32
from execution.attempts import Waited
from execution.block_run import BlockRun, Turn
from execution.chain_scheduler import ChainScheduler
from execution.contention import WHOLE_ACCOUNT, Call, Contention, Key
from execution.outcome import Slot
from execution.pace import Pace
from execution.schedule import Candidate, chains_of, for_workers
from execution.senders import SignedTransaction
from execution.touched import SELECTOR_SIZE, Kind

LOOK_AT_LEAST = 32
"""Of so many blocks at least one is looked through for calls that met without losing, since they ran one after the
other; more of them as long as there is something to learn."""
NEW_FOR_BLOCKS, MAX_FAMILIAR = 3, 512
"""Of a function that was not called before, so many blocks are looked through in any case."""

ACCOUNT, SLOT = AccessKind.ACCOUNT, AccessKind.SLOT


class Optimistic:
    """The SchedulingRule. It remembers for some blocks where calls met."""

    name = "optimistic"
    tells_unmerged = False
    runs_here_too = True

    def __init__(self) -> None:
        self._contention = Contention()
        self._pace = Pace()
        self._looks_in = self._pause = 1
        self._familiar: dict[Kind, int] = {}
        """In how many blocks that were looked through a function was called."""
        self._meets_at: dict[int, tuple[Key, ...]] = {}
        """Where the transactions of the newest block are expected to meet others, by their positions."""
        self._expected_at: dict[Hash32, tuple[Key, ...]] = {}
        """Likewise those of the block to come, by their hashes."""
        self._sent_at: set[Key] = set()
        """Where those met that were sent, by the first of each chain."""

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        self._expected_at = {
            signed.hash: self._contention.keys(Call(signed.transaction, signed.sender))
            for signed in transactions
            if signed.transaction is not None and signed.sender is not None
        }

    def scheduler(self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]) -> ChainScheduler:
        meets_at = self._meets_at = {}
        for candidate in candidates:
            turn = block.turns[candidate.index]
            keys = self._expected_at.get(turn.signed.hash)
            if keys is None:
                keys = self._contention.keys(_call(turn))
            if keys:
                meets_at[candidate.index] = keys
        chains = chains_of(candidates, meets_at)
        theirs = {
            at for at, chain in enumerate(chains) if not self._sent_at.isdisjoint(meets_at.get(chain[0].index, ()))
        }
        sent = for_workers(chains, len(workers), self._pace.slowness, theirs, block.spared_us) if workers else ()
        self._sent_at = {key for chain in sent for key in meets_at.get(chain[0].index, ())}
        return ChainScheduler(sent, workers, waits_of(meets_at), _staying(chains, sent))

    def learn(self, block: BlockRun) -> None:
        """Where calls met: those that lost say it, and of some blocks the accesses of all."""
        self._pace.learn(block)
        self._looks_in -= 1
        kinds = _kinds(block.turns)
        is_new = any(self._familiar.get(kind, 0) < NEW_FOR_BLOCKS for kind in kinds)
        if self._looks_in <= 0 or block.conflicts or is_new:
            if len(self._familiar) > MAX_FAMILIAR:
                self._familiar = {}
            self._familiar.update((kind, self._familiar.get(kind, 0) + 1) for kind in kinds)
            self._look(block.turns)
            learnt = self._contention.end_looked()
            self._looks_in = self._pause = 1 if learnt else min(2 * self._pause, LOOK_AT_LEAST)
        self._contention.end_block()
        self._meets_at = {}

    def _look(self, turns: Sequence[Turn]) -> None:
        """Each call meets the last ones before it that wrote what it reads, at the first key it reads of each; or who
        wrote what it had read when it lost.
        """
        slot_writers: dict[Slot, int] = {}
        balance_writers: dict[Address, int] = {}
        for index, turn in enumerate(turns):
            outcome, transaction = turn.outcome, turn.signed.transaction
            if outcome is None or transaction is None:
                continue
            if transaction.data:
                met: dict[int, Key] = {}
                for stale in [stale for ran in turn.runs for stale in ran.stale[:1]]:
                    slot = stale.slot if stale.kind == AccessKind.SLOT else WHOLE_ACCOUNT
                    met.setdefault(stale.writer, (stale.address, slot))
                for key in outcome.reads.slots:
                    if key in slot_writers:
                        met.setdefault(slot_writers[key], key)
                for address in outcome.reads.balances:
                    if address in balance_writers:
                        met.setdefault(balance_writers[address], (address, WHOLE_ACCOUNT))
                self._met(turns, index, met)
            slot_writers.update(dict.fromkeys(outcome.writes.slots, index))
            balance_writers.update(dict.fromkeys(outcome.writes.balances, index))

    def _met(self, turns: Sequence[Turn], reader: int, met: Mapping[int, Key]) -> None:
        """`met` gives a key for each writer. Where both were expected there is nothing new in it."""
        call, expected_at = _call(turns[reader]), self._meets_at.get(reader, ())
        self._contention.ran(call)
        for writer, key in met.items():
            shared = next((at for at in expected_at if at in self._meets_at.get(writer, ())), None)
            if shared is not None:
                self._contention.met_again(call, shared)
            else:
                self._contention.met(call, _call(turns[writer]) if writer >= 0 else None, key)


def _staying(chains: Sequence[Sequence[Candidate]], sent: Sequence[Sequence[Candidate]]) -> dict[int, int]:
    """What is not sent, and the last position before it in its chain that is, or -1."""
    indices = {candidate.index for chain in sent for candidate in chain}
    stays: dict[int, int] = {}
    for chain in chains:
        behind = -1
        for candidate in chain:
            if candidate.index in indices:
                behind = candidate.index
            else:
                stays[candidate.index] = behind
    return stays


def waits_of(meets_at: Mapping[int, Sequence[Key]]) -> dict[int, Waited]:
    """Whom each transaction that meets others waits for: the last one before it at one of its keys."""
    waits: dict[int, Waited] = {}
    last_at: dict[Key, int] = {}
    for index, keys in meets_at.items():
        writer, met = -1, keys[0]
        for key in keys:
            last = last_at.get(key, -1)
            if last > writer or (last == writer and key > met):
                writer, met = last, key
            last_at[key] = index
        if writer >= 0:
            address, slot = met
            waits[index] = (
                Waited(ACCOUNT, address, 0, writer) if slot == WHOLE_ACCOUNT else Waited(SLOT, address, slot, writer)
            )
    return waits


def _call(turn: Turn) -> Call:
    """The transaction of a turn that came to run."""
    transaction, sender = turn.signed.transaction, turn.signed.sender
    assert transaction is not None
    assert sender is not None
    return Call(transaction, sender)


def _kinds(turns: Sequence[Turn]) -> set[Kind]:
    """The functions that these call."""
    transactions = [turn.signed.transaction for turn in turns]
    return {(t.to, t.data[:SELECTOR_SIZE]) for t in transactions if t is not None and t.data and t.to is not None}
