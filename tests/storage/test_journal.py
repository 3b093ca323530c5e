"""The names of what each version wrote."""

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.types import Address, Version, Wei
from storage.journal import JOURNAL, NAMES_A_PART, Journal, Written
from storage.keyvalue import CorruptStore, KeyValue
from storage.memory import MemoryKeyValue
from storage.state import account_name, slot_name
from storage.store import Store
from storage.tries import storage_trie
from storage.versions import GENESIS_VERSION, SUFFIX_BYTES, suffix
from tests.storage.world import RandomChain, block_of, genesis_of

A, B = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
RICH = Account(1, Wei(10**18))


def test_the_journal_names_every_record_of_every_version_but_the_first(seed: int) -> None:
    chain = RandomChain(seed)
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, chain.genesis)
    assert Journal(keyvalue).first(GENESIS_VERSION) is None
    for _ in range(12):
        keys_before = {key for key, _ in keyvalue.pairs(b"", b"\xff")}
        version = store.apply(chain.next(store.head.hash)).version
        said, written = written_by(keyvalue, version)
        records = {key: value for key, value in keyvalue.pairs(b"", b"\xff") if key not in keys_before}
        state = {key[:-SUFFIX_BYTES]: value for key, value in records.items() if key[:1] in (b"a", b"s", b"t", b"u")}
        assert said == version
        assert sorted(written.filled) == sorted(name for name, value in state.items() if value)
        assert sorted(written.emptied) == sorted(name for name, value in state.items() if not value)
    assert [part.version for part in Journal(keyvalue).parts(Version(5), Version(7)) if not part.rest] == [5, 6, 7]


def test_the_whole_storage_trie_of_an_account_that_goes_is_emptied() -> None:
    genesis = genesis_of(AccountChange(A, RICH, dict.fromkeys(range(50), 7)), AccountChange(B, RICH, {}))
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, genesis)
    nodes = {key[:-SUFFIX_BYTES] for key, _ in keyvalue.with_prefix(storage_trie(A))}
    assert len(nodes) > 50
    version = store.apply(block_of(genesis, 1, AccountChange(A, EMPTY_ACCOUNT, {}))).version
    _, written = written_by(keyvalue, version)
    slots = {slot_name(A, number) for number in range(50)}
    assert nodes | slots | {account_name(A)} <= set(written.emptied)
    assert not any(keyvalue.get(name + suffix(version)) for name in nodes)


def test_what_a_version_wrote_is_found_in_parts_and_none_can_go_missing() -> None:
    genesis = genesis_of(AccountChange(A, RICH, {}))
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, genesis)
    slots = dict.fromkeys(range(1, 2 * NAMES_A_PART), 7)
    for number, change in enumerate((slots, dict.fromkeys(slots, 8), dict.fromkeys(slots, 0)), 1):
        store.apply(block_of(genesis, number, AccountChange(A, RICH, change)))
    keys = [key for key, _ in keyvalue.with_prefix(JOURNAL)]
    parts = list(Journal(keyvalue).parts(Version(2)))
    assert [part.key for part in parts] == keys
    assert [part.version for part in parts if not part.rest] == [2, 3, 4]
    assert max(len(list(part.written.names())) for part in parts) == NAMES_A_PART
    for part in parts:
        record = keyvalue.get(part.key)
        keyvalue.write({part.key: None})
        with pytest.raises(CorruptStore, match="the list of what it wrote is incomplete"):
            list(Journal(keyvalue).parts(Version(2)))
        keyvalue.write({part.key: record})


def written_by(keyvalue: KeyValue, version: Version) -> tuple[Version, Written]:
    """By one version, which wrote little."""
    (part,) = Journal(keyvalue).parts(version, version)
    return part.version, part.written
