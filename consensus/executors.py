"""Which of several executors to believe.

Every executor tells every validator the header hash of every block. A hash is agreed on when more than half of the
executors there should be, and more than half of those that have spoken, say it. Until then the block has no result
here, so the chain waits for it within its lag. Who says another hash than the one agreed on is wrong, and so is who
says two hashes of one block; nothing that a wrong executor says counts any more, for as long as the chain lives.

Two executors that differ cannot tell which of them is wrong. Then the block is disputed, and one more executor is
wanted than have spoken: it executes the chain from genesis and decides by what it gets.

Pure: results come in, in any order between executors and in the order of the chain from each, and the agreed ones come
out in the order of the chain.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from chain.messages.mempool import BlockResult, ExecutorsNews, WrongExecutor
from chain.proposals import ExecutedBlock
from chain.types import ExecutorIndex, Hash32, Height

MAX_EXECUTOR = ExecutorIndex(63)
"""Far more than a machine can run: what a validator keeps is bounded by it."""
WINDOW = 64
"""How many blocks an executor may be ahead of what is agreed on before it must wait, and how many agreed hashes are
kept to compare a late executor's with."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one executor said of one block."""

    executor: ExecutorIndex
    executed: ExecutedBlock


@dataclass(frozen=True, slots=True)
class StoredClaims:
    """What must survive a restart: the claims of blocks not agreed on yet, and who is wrong."""

    open: tuple[Claim, ...]
    wrong: tuple[WrongExecutor, ...]


NO_CLAIMS = StoredClaims((), ())


@dataclass(frozen=True, slots=True)
class Heard:
    """What followed from a claim: results that are agreed on, oldest first, and contradictions found.

    With one executor there is nobody to believe instead: a contradiction of its own is only reported.
    """

    agreed: tuple[BlockResult, ...] = ()
    contradictions: tuple[WrongExecutor, ...] = ()


class Executors:
    """`count` is how many there should be; `known` the newest blocks agreed on, oldest first."""

    def __init__(self, count: int, known: Iterable[ExecutedBlock] = (), stored: StoredClaims = NO_CLAIMS) -> None:
        self._count = count
        self._agreed = {executed.height: executed.header_hash for executed in known}
        self._newest = max(self._agreed, default=Height(0))
        self._wrong = {wrong.executor: wrong for wrong in stored.wrong}
        self._claims: dict[Height, dict[ExecutorIndex, Hash32]] = {}
        self._results: dict[tuple[Height, Hash32], BlockResult] = {}
        for claim in stored.open:
            if claim.executed.height > self._newest:
                said = self._claims.setdefault(claim.executed.height, {})
                said[claim.executor] = claim.executed.header_hash

    @property
    def newest(self) -> Height:
        """The newest block agreed on."""
        return self._newest

    def news(self) -> ExecutorsNews:
        """What this validator makes of its executors."""
        disputed = self._disputed()
        right = self._count if disputed is None else len(self._claims[disputed]) + 1
        return ExecutorsNews(right + len(self._wrong), disputed or Height(0), self._all_wrong())

    def hear(self, executor: ExecutorIndex, result: BlockResult) -> Heard:
        """An executor says what became of a block."""
        if not self.counts(executor):
            return Heard()
        executed = ExecutedBlock(result.height, result.header_hash)
        contradiction = self._contradiction(executor, executed)
        if contradiction is not None:
            return self._expose(contradiction)
        if executed.height <= self._newest or executed.height > self.newest_of(executor) + 1:
            return Heard()
        self._claims.setdefault(executed.height, {})[executor] = executed.header_hash
        self._results.setdefault((executed.height, executed.header_hash), result)
        return self._settle()

    def newest_of(self, executor: ExecutorIndex) -> Height:
        """The newest block that the executor need not say (again), nor any before it."""
        height = self._newest
        while self._has_result(executor, Height(height + 1)):
            height = Height(height + 1)
        return height

    def counts(self, executor: ExecutorIndex) -> bool:
        """Whether what this executor says is heard at all."""
        return 0 <= executor <= MAX_EXECUTOR and executor not in self._wrong

    def must_wait(self, executor: ExecutorIndex, height: Height) -> bool:
        """Whether an executor whose result of this block is taken should wait before it says more."""
        return self.counts(executor) and self._newest + WINDOW < height <= self.newest_of(executor)

    def to_store(self) -> StoredClaims:
        claims = (
            Claim(executor, ExecutedBlock(height, self._claims[height][executor]))
            for height in sorted(self._claims)
            for executor in sorted(self._claims[height])
        )
        return StoredClaims(tuple(claims), self._all_wrong())

    def _all_wrong(self) -> tuple[WrongExecutor, ...]:
        return tuple(self._wrong[executor] for executor in sorted(self._wrong))

    def _disputed(self) -> Height | None:
        """The next block, if as many as there should be have spoken of it without a result."""
        height = Height(self._newest + 1)
        said = self._claims.get(height, {})
        return height if len(said) >= self._count and self._majority(said) is None else None

    def _has_result(self, executor: ExecutorIndex, height: Height) -> bool:
        """Hashes survive a restart, the results themselves are said again."""
        said = self._claims.get(height, {}).get(executor)
        return said is not None and (height, said) in self._results

    def _contradiction(self, executor: ExecutorIndex, executed: ExecutedBlock) -> WrongExecutor | None:
        """Set against what is agreed on, or else against what the executor itself said before."""
        agreed = self._agreed.get(executed.height)
        before = self._claims.get(executed.height, {}).get(executor) if agreed is None else agreed
        if before is None or before == executed.header_hash:
            return None
        return WrongExecutor(executor, executed.height, executed.header_hash, before, agreed is not None)

    def _expose(self, contradiction: WrongExecutor) -> Heard:
        if self._count == 1:
            return Heard(contradictions=(contradiction,))
        self._reject(contradiction)
        settled = self._settle()
        return Heard(settled.agreed, (contradiction, *settled.contradictions))

    def _reject(self, wrong: WrongExecutor) -> None:
        self._wrong[wrong.executor] = wrong
        for height, said in list(self._claims.items()):
            said.pop(wrong.executor, None)
            if not said:
                del self._claims[height]
        self._results = {key: result for key, result in self._results.items() if self._is_claimed(*key)}

    def _is_claimed(self, height: Height, hash: Hash32) -> bool:
        return hash in self._claims.get(height, {}).values()

    def _settle(self) -> Heard:
        """Takes the blocks after the newest as long as they are agreed on."""
        agreed: list[BlockResult] = []
        exposed: list[WrongExecutor] = []
        while True:
            height = Height(self._newest + 1)
            said = self._claims.get(height, {})
            hash = self._majority(said)
            result = None if hash is None else self._results.get((height, hash))
            if hash is None or result is None:
                return Heard(tuple(agreed), tuple(exposed))
            agreed.append(result)
            self._newest = height
            self._agreed[height] = hash
            self._agreed.pop(Height(height - WINDOW), None)
            for executor, other in sorted(said.items()):
                if other != hash:
                    wrong = WrongExecutor(executor, height, other, hash, True)
                    exposed.append(wrong)
                    self._reject(wrong)
            del self._claims[height]
            self._results = {key: kept for key, kept in self._results.items() if key[0] > height}

    def _majority(self, said: dict[ExecutorIndex, Hash32]) -> Hash32 | None:
        if not said:
            return None
        hash, count = Counter(said.values()).most_common(1)[0]
        return hash if 2 * count > max(self._count, len(said)) else None
