"""From the raw transactions of a proposal to transactions with their senders.

rpc recovers a sender when it admits a transaction and hints it to execution, so that nobody recovers a key twice. A
hint is bound to the hash of the raw bytes; without one execution recovers by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chain.errors import ChainError
from chain.forks import Fork
from chain.keccak import keccak256
from chain.transactions import FIRST_FORKS, Transaction, decode_transaction
from chain.types import Address, Hash32
from execution.errors import CannotInclude, MalformedTransaction

MAX_HINTS = 100_000


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction of a proposal with its sender; both are None if `malformed` says why it is none."""

    hash: Hash32
    raw: bytes
    transaction: Transaction | None
    sender: Address | None
    malformed: CannotInclude | None = None


def for_chain(signed: SignedTransaction, chain_id: int) -> SignedTransaction:
    """Without a transaction if it is for another chain."""
    transaction = signed.transaction
    if transaction is None or transaction.chain_id in (None, chain_id):
        return signed
    reason = MalformedTransaction(f"invalid chain id: have {transaction.chain_id}, want {chain_id}")
    return SignedTransaction(signed.hash, signed.raw, None, None, reason)


class Senders:
    """Knows who signed, from hints or from the signature. Bounded; the oldest hints go first."""

    def __init__(self, fork: Fork, max_hints: int = MAX_HINTS) -> None:
        self._fork = fork
        self._any_s = fork < Fork.HOMESTEAD
        self._max_hints = max_hints
        self._hints: dict[Hash32, Address] = {}
        self.recovered = 0

    def hint(self, rows: Iterable[tuple[Hash32, Address]]) -> None:
        """Trusted word of who signed these transactions."""
        self._hints.update(rows)
        while len(self._hints) > self._max_hints:
            del self._hints[next(iter(self._hints))]

    def signed(self, raw: bytes) -> SignedTransaction:
        """The transaction in a raw envelope, or why there is none that these rules could run; of whatever chain."""
        try:
            transaction = decode_transaction(raw, any_s=self._any_s)
            self._check(transaction)
            sender = self._hints.get(transaction.hash)
            if sender is None:
                self.recovered += 1
                sender = transaction.sender(any_s=self._any_s)
        except (ChainError, MalformedTransaction) as error:
            return SignedTransaction(keccak256(raw), raw, None, None, MalformedTransaction(str(error)))
        return SignedTransaction(transaction.hash, raw, transaction, sender)

    def all_signed(self, raws: Sequence[bytes]) -> list[SignedTransaction]:
        return [self.signed(raw) for raw in raws]

    def _check(self, transaction: Transaction) -> None:
        if self._fork < FIRST_FORKS[transaction.type]:
            raise MalformedTransaction("transaction type not supported")
