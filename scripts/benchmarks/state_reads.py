"""Reads of accounts on disk, beside LevelDB's own gets, in processor time of the one thread that reads."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

import plyvel

from chain.keccak import keccak256
from chain.types import Address, Version
from storage.latest import latest_key
from storage.leveldb import BLOOM_BITS_PER_KEY, CACHE_BYTES, LevelDB
from storage.state import VersionedState, account_name, encode_account

SAMPLE = 10_000
"""Accounts read: fewer than the cache holds."""
TURN = 250
"""Two kinds of reads are compared by turns of so many, so that both meet LevelDB as it is then."""
WRITTEN_AT_ONCE = 10_000
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """Microseconds of one read of an account. `get_us` is LevelDB's get of the record that the read needs, of other
    accounts; `alone_get_us` is one from a database of nothing but the accounts.
    """

    read_us: float
    get_us: float
    alone_get_us: float
    absent_us: float
    cached_us: float
    old_us: float


def accounts_alone(folder: Path, state: VersionedState, version: Version, addresses: Sequence[Address]) -> plyvel.DB:
    """The accounts by their addresses, in a database with the same settings."""
    alone = plyvel.DB(
        str(folder), create_if_missing=True, lru_cache_size=CACHE_BYTES, bloom_filter_bits=BLOOM_BITS_PER_KEY
    )
    for at in range(0, len(addresses), WRITTEN_AT_ONCE):
        with alone.write_batch() as batch:
            for address in addresses[at : at + WRITTEN_AT_ONCE]:
                batch.put(account_name(address), encode_account(state.account(address, version)))
    return alone


@dataclass(frozen=True, slots=True)
class ReadWorld:
    """What is read: the newest accounts, and those that `changed` after the version `old`."""

    keyvalue: LevelDB
    latest: Version
    addresses: Sequence[Address]
    alone: plyvel.DB
    changed: Sequence[Address]
    old: Version

    def reader(self) -> VersionedState:
        """With nothing in its caches."""
        state = VersionedState(self.keyvalue)
        state.latest = self.latest
        return state


def measure_reads(world: ReadWorld, chosen: random.Random, rounds: int) -> ReadFigures:
    figures = [_round(world, chosen) for _ in range(rounds)]
    return ReadFigures(*map(statistics.median, zip(*map(astuple, figures), strict=True)))


def _round(world: ReadWorld, chosen: random.Random) -> ReadFigures:
    half = min(SAMPLE, len(world.addresses) // 2)
    both = chosen.sample(world.addresses, 2 * half)
    read = [_decoded(address) for address in both[:half]]
    got = [latest_key(account_name(address)) for address in both[half:]]
    alone = [account_name(address) for address in read]
    nobody = [Address(keccak256(address)[:20]) for address in read]
    reader, older = world.reader(), world.reader()
    return ReadFigures(
        *_by_turns(read, lambda address: reader.account(address, world.latest), got, world.keyvalue.get),
        _each_us(alone, world.alone.get),
        _each_us(nobody, lambda address: reader.account(address, world.latest)),
        _each_us(read, lambda address: reader.account(address, world.latest)),
        _each_us(world.changed, lambda address: older.account(address, world.old)),
    )


def _decoded(address: Address) -> Address:
    """A copy, as a read has it out of its message, and not where the memory of a million others is."""
    return Address(bytes(bytearray(address)))


def _by_turns(
    ours: Sequence[Address], read: Callable[[Address], object], keys: Sequence[bytes], get: Callable[[bytes], object]
) -> tuple[float, float]:
    reads, gets = [], []
    for some, others in zip(_turns(ours), _turns(keys), strict=True):
        reads.append(_each_us(some, read))
        gets.append(_each_us(others, get))
    return statistics.fmean(reads), statistics.fmean(gets)


def _turns(keys: Sequence[K]) -> Iterator[Sequence[K]]:
    return (keys[at : at + TURN] for at in range(0, len(keys), TURN))


def _each_us(keys: Sequence[K], read: Callable[[K], object]) -> float:
    began = time.thread_time()
    for key in keys:
        read(key)
    return (time.thread_time() - began) * 1e6 / len(keys)
