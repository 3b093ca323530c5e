"""An audit passes what is right, and misses no record that is not there."""

import pytest

from chain.types import BlockNumber, Version
from storage.audit import Audit
from storage.keyvalue import CorruptStore
from storage.latest import latest_key, latest_prefix
from storage.logs import OF_ADDRESS
from storage.memory import MemoryKeyValue
from storage.number_keys import place_key
from storage.state import CODES, account_name
from storage.store import Store
from storage.versions import version_of
from tests.storage.world import HISTORY, NOBODY, RandomChain


def _audit(keyvalue: MemoryKeyValue, chain: RandomChain) -> None:
    for _ in Audit(Store.open(keyvalue, chain.genesis), keyvalue, BlockNumber(0)).run():
        pass


def _chain(seed: int, blocks: int) -> tuple[RandomChain, MemoryKeyValue]:
    chain, keyvalue = RandomChain(seed, addresses=8), MemoryKeyValue()
    store = Store.open(keyvalue, chain.genesis)
    for _ in range(blocks):
        store.apply(chain.next(store.head.hash))
    return chain, keyvalue


def test_a_right_store_passes(seed: int) -> None:
    chain, keyvalue = _chain(seed, 40)
    _audit(keyvalue, chain)


def test_a_store_with_any_record_missing_does_not_pass(seed: int) -> None:
    """But for the whole of it, which is a store that was never made, and code of accounts that are gone."""
    chain, keyvalue = _chain(seed, 6)
    for key, _ in list(keyvalue.pairs(b"", b"\xff")):
        value = keyvalue.get(key)
        if key.startswith(CODES):
            continue
        keyvalue.write({key: None})
        with pytest.raises(CorruptStore):
            _audit(keyvalue, chain)
        keyvalue.write({key: value})
    _audit(keyvalue, chain)


def test_code_that_an_account_has_may_not_be_missing(seed: int) -> None:
    chain, keyvalue = _chain(seed, 6)
    for entry in chain.model.values():
        key = CODES + entry.account.code_hash
        code = keyvalue.get(key)
        if code is not None:
            keyvalue.write({key: code[:-1]})
            with pytest.raises(CorruptStore, match="the code of account"):
                _audit(keyvalue, chain)
            keyvalue.write({key: code})


def test_a_record_of_another_value_does_not_pass(seed: int) -> None:
    chain, keyvalue = _chain(seed, 6)
    logs = [b"l" + bytes([kind]) for kind in (0, 1, 2, 3, 4, 5)]
    for name in (b"a", b"s", b"La", b"Ls", b"t", b"u", b"h", b"x", b"p", *logs, b"v", b"n", b"j"):
        key, value = next(iter(keyvalue.with_prefix(name)))
        keyvalue.write({key: value[:-1] + bytes((value[-1] ^ 1,)) if value else b"\x01"})
        with pytest.raises(CorruptStore):
            _audit(keyvalue, chain)
        keyvalue.write({key: value})


def test_a_log_that_no_receipt_has_does_not_pass(seed: int) -> None:
    chain, keyvalue = _chain(seed, 6)
    copied = next(value for _, value in keyvalue.with_prefix(OF_ADDRESS))
    keyvalue.write({OF_ADDRESS + NOBODY + place_key(3, 100): copied})
    with pytest.raises(CorruptStore, match="the index of logs"):
        _audit(keyvalue, chain)


def test_a_newest_value_of_nothing_does_not_pass(seed: int) -> None:
    chain, keyvalue = _chain(seed, 6)
    keyvalue.write({latest_key(account_name(NOBODY)): latest_prefix(Version(3))})
    with pytest.raises(CorruptStore, match="the newest values"):
        _audit(keyvalue, chain)


def test_a_newest_value_that_is_older_than_its_record_does_not_pass(seed: int) -> None:
    chain, keyvalue = _chain(seed, 6)
    (key, newest), (older_key, older) = list(keyvalue.with_prefix(account_name(HISTORY)))[:2]
    assert version_of(older_key) < version_of(key)
    assert older != newest
    keyvalue.write({latest_key(account_name(HISTORY)): latest_prefix(version_of(older_key)) + older})
    with pytest.raises(CorruptStore):
        _audit(keyvalue, chain)
