"""The names of what each version wrote."""

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.types import Address, Version, Wei
from storage.journal import JOURNAL, Journal
from storage.memory import MemoryKeyValue
from storage.state import account_name, slot_name
from storage.store import Store
from storage.tries import storage_trie
from storage.versions import SUFFIX_BYTES, suffix
from tests.storage.world import RandomChain, block_of, genesis_of

A, B = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
RICH = Account(1, Wei(10**18))


def test_the_journal_names_every_record_of_every_version_but_the_first(seed: int) -> None:
    chain = RandomChain(seed)
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, chain.genesis)
    assert Journal(keyvalue).first() is None
    for _ in range(12):
        keys_before = {key for key, _ in keyvalue.pairs(b"", b"\xff")}
        version = store.apply(chain.next(store.head.hash)).version
        ((said, written),) = Journal(keyvalue).entries(version, version)
        records = {key: value for key, value in keyvalue.pairs(b"", b"\xff") if key not in keys_before}
        state = {key[:-SUFFIX_BYTES]: value for key, value in records.items() if key[:1] in (b"a", b"s", b"t", b"u")}
        assert said == version
        assert sorted(written.filled) == sorted(name for name, value in state.items() if value)
        assert sorted(written.emptied) == sorted(name for name, value in state.items() if not value)
    assert [version for version, _ in Journal(keyvalue).entries(Version(5), Version(7))] == [5, 6, 7]


def test_the_whole_storage_trie_of_an_account_that_goes_is_emptied() -> None:
    genesis = genesis_of(AccountChange(A, RICH, dict.fromkeys(range(50), 7)), AccountChange(B, RICH, {}))
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, genesis)
    nodes = {key[:-SUFFIX_BYTES] for key, _ in keyvalue.with_prefix(storage_trie(A))}
    assert len(nodes) > 50
    version = store.apply(block_of(genesis, 1, AccountChange(A, EMPTY_ACCOUNT, {}))).version
    ((_, written),) = Journal(keyvalue).entries(version, version)
    slots = {slot_name(A, number) for number in range(50)}
    assert nodes | slots | {account_name(A)} <= set(written.emptied)
    assert not any(keyvalue.get(name + suffix(version)) for name in nodes)


def test_the_journal_is_one_record_a_version() -> None:
    genesis = genesis_of(AccountChange(A, RICH, {}))
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, genesis)
    for number in range(1, 4):
        store.apply(block_of(genesis, number, AccountChange(A, Account(number, Wei(1)), {})))
    assert len(list(keyvalue.with_prefix(JOURNAL))) == 3
