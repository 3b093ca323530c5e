"""Small chains for tests: genesis, keys that cost nothing to sign with, a database that can lose its tail."""

from collections.abc import Iterator, Mapping
from functools import cache

from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.keccak import keccak256
from chain.messages.mempool import PooledTransaction
from chain.signing import address_of_private_key
from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, Gas, ValidatorIndex, Wei

GAS_LIMIT = Gas(30_000_000)
GWEI = 10**9
ETHER = 10**18
START_MS = 1_700_000_000_000


class CheapSigner:
    """Anyone could forge these; nobody in the simulation does."""

    def __init__(self, index: int) -> None:
        self._prefix = bytes((index,))

    def sign(self, content: bytes) -> bytes:
        return keccak256(self._prefix + content) + bytes(32)


class CheapVerifier:
    def verify(self, validator: ValidatorIndex, content: bytes, signature: bytes) -> bool:
        return CheapSigner(validator).sign(content) == signature


class CrashableDatabase:
    """A key-value store that can forget what was not synced, as a loss of power does."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._unsynced: list[dict[bytes, bytes | None]] = []

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((k, v) for k, v in self._values.items() if k.startswith(prefix)))

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = True) -> None:
        undo = {key: self._values.get(key) for key in batch}
        self._apply(batch)
        self._unsynced = [] if sync else [*self._unsynced[-500:], undo]

    def lose_unsynced(self, batches: int) -> None:
        """Undoes up to so many of the newest batches that no sync followed."""
        for _ in range(min(batches, len(self._unsynced))):
            self._apply(self._unsynced.pop())

    def _apply(self, batch: Mapping[bytes, bytes | None]) -> None:
        for key, value in batch.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value


def beneficiary(index: int) -> Address:
    return Address(bytes((0xBE, index)) + bytes(18))


def make_genesis(
    validators: int = 4,
    max_lag: int = 3,
    stakes: tuple[int, ...] = (),
    public_keys: tuple[bytes, ...] = (),
    gas_limit: Gas = GAS_LIMIT,
    rules: str = "hotstuff-2",
    leaders: str = "weighted",
) -> Genesis:
    keys = public_keys or tuple(bytes((i,)) * 32 for i in range(validators))
    weights = stakes or (1,) * validators
    return Genesis(
        chain_id=31337,
        forks=only(Fork.PRAGUE),
        header=first_header(Fork.PRAGUE, START_MS // 1000, gas_limit, Wei(GWEI)),
        accounts=(),
        validators=tuple(ValidatorIdentity(keys[i], weights[i], beneficiary(i)) for i in range(validators)),
        max_lag=max_lag,
        rules=rules,
        leaders=leaders,
    )


@cache
def private_key(account: int) -> bytes:
    return keccak256(b"test account" + bytes((account,)))


@cache
def address(account: int) -> Address:
    return address_of_private_key(private_key(account))


@cache
def transfer(
    account: int, nonce: int, tip: int = GWEI, max_fee: int = 20 * GWEI, gas: int = 21_000, value: int = 1
) -> PooledTransaction:
    """A signed transfer, as rpc hands it to a mempool."""
    transaction = Transaction(
        type=DYNAMIC_FEE,
        chain_id=31337,
        nonce=nonce,
        max_fee=Wei(max_fee),
        max_priority_fee=Wei(tip),
        gas=Gas(gas),
        to=Address(bytes(20)),
        value=Wei(value),
        data=b"",
    ).signed_with(private_key(account))
    return PooledTransaction(
        hash=transaction.hash,
        raw=transaction.raw,
        sender=address(account),
        nonce=nonce,
        gas=transaction.gas,
        max_fee=transaction.max_fee,
        max_priority_fee=transaction.max_priority_fee,
        value=transaction.value,
    )
