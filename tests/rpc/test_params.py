"""Parameters are read as strictly as geth reads them, and refused in its words (hexutil, rpc/types.go)."""

from typing import Any

import pytest

from chain.types import BlockNumber
from rpc.log_filter import LogFilter, log_filter
from rpc.params import (
    BlockTag,
    InvalidValue,
    Parser,
    StorageKey,
    address,
    block_reference,
    boolean,
    data,
    decimal_or_hex,
    hash32,
    quantity,
    storage_key,
    texts,
    uint64,
)
from rpc.transaction_arguments import transaction_arguments

GO = "json: cannot unmarshal {} into Go value of type {}"


@pytest.mark.parametrize(
    ("parse", "value", "words"),
    [
        (quantity, "5", GO.format("hex string without 0x prefix", "*hexutil.Big")),
        (quantity, "0x", GO.format('hex string "0x"', "*hexutil.Big")),
        (quantity, "0x05", GO.format("hex number with leading zero digits", "*hexutil.Big")),
        (quantity, "0xg", GO.format("invalid hex string", "*hexutil.Big")),
        (quantity, "0x_1", GO.format("invalid hex string", "*hexutil.Big")),
        (quantity, "0x1" + "0" * 64, GO.format("hex number > 256 bits", "*hexutil.Big")),
        (quantity, 5, GO.format("non-string", "*hexutil.Big")),
        (uint64, "0x10000000000000000", GO.format("hex number > 64 bits", "hexutil.Uint64")),
        (data, "0x1", GO.format("hex string of odd length", "hexutil.Bytes")),
        (data, "0xzz", GO.format("invalid hex string", "hexutil.Bytes")),
        (data, "0x 1", GO.format("invalid hex string", "hexutil.Bytes")),
        (address, "0x12", "hex string has length 2, want 40 for common.Address"),
        (address, "1" * 40, GO.format("hex string without 0x prefix", "common.Address")),
        (address, None, GO.format("non-string", "common.Address")),
        (hash32, "0x" + "z" * 64, GO.format("invalid hex string", "common.Hash")),
        (boolean, "true", GO.format("string", "bool")),
        (block_reference, "newest", "hex string without 0x prefix"),
        (block_reference, "", "empty hex string"),
        (block_reference, "0x01", "hex number with leading zero digits"),
        (block_reference, "0x8000000000000000", "blocknumber too high"),
        (block_reference, {}, "must specify either BlockHash or BlockNumber"),
        (
            block_reference,
            {"blockNumber": "0x1", "blockHash": "0x" + "00" * 32},
            "cannot specify both BlockHash and BlockNumber, choose one or the other",
        ),
        (storage_key, "0x" + "0" * 65, f'storage key too long (want at most 32 bytes): "0x{"0" * 65}"'),
        (storage_key, "z" * 65, f'storage key too long (want at most 32 bytes): "{"z" * 65}"'),
        (storage_key, "0xasdf", 'invalid hex in storage key: "0xasdf"'),
        (texts, "0x0", "json: cannot unmarshal string into Go value of type []string"),
        (texts, [1], "json: cannot unmarshal number into Go value of type string"),
        (decimal_or_hex, "ten", 'invalid hex or decimal integer "ten"'),
        (decimal_or_hex, "0x", 'invalid hex or decimal integer "0x"'),
        (
            log_filter,
            {"address": "0x12"},
            "invalid address: hex has invalid length 1 after decoding; expected 20 for address",
        ),
        (log_filter, {"address": [1]}, "non-string address at index 0"),
        (log_filter, {"topics": [5]}, "invalid topic(s)"),
        (log_filter, {"topics": [None] * 5}, "exceed max topics"),
        (
            transaction_arguments,
            {"value": 1},
            "json: cannot unmarshal non-string into Go struct field TransactionArgs.value of type *hexutil.Big",
        ),
    ],
)
def test_malformed_values_are_refused_in_geths_words(parse: Parser[Any], value: Any, words: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        parse(value)
    assert refusal.value.text == words


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (quantity, "0x0", 0),
        (quantity, "0xFf", 255),
        (quantity, "0x" + "f" * 64, 2**256 - 1),
        (data, "0x", b""),
        (data, "0xAbcd", b"\xab\xcd"),
        (address, "0x" + "Ab" * 20, b"\xab" * 20),
        (block_reference, "latest", BlockTag.LATEST),
        (block_reference, "0x10", 16),
        (log_filter, None, LogFilter(None, None, None, (), ())),
        (block_reference, "0x" + "ab" * 32, b"\xab" * 32),
        (block_reference, {"blockNumber": "safe"}, BlockTag.SAFE),
        (block_reference, {"blockHash": "0x" + "ab" * 32, "requireCanonical": True}, b"\xab" * 32),
        (storage_key, "0x0", StorageKey(0, is_full=False)),
        (storage_key, "0x" + "0" * 62 + "0a", StorageKey(10, is_full=True)),
        (storage_key, "0x" + "0" * 61 + "0a", StorageKey(10, is_full=True)),
        (storage_key, "a", StorageKey(10, is_full=False)),
        (texts, None, []),
        (decimal_or_hex, 5, 5),
        (decimal_or_hex, "5", 5),
        (decimal_or_hex, "0x5", 5),
    ],
)
def test_well_formed_values_are_read(parse: Parser[Any], value: Any, expected: Any) -> None:
    assert parse(value) == expected


def test_a_filter_takes_one_address_or_several_and_null_topics_as_any() -> None:
    one, topic = "0x" + "01" * 20, "0x" + "02" * 32
    read = log_filter({"address": one, "topics": [None, [topic, topic], [None, topic]], "fromBlock": "0x1"})
    assert read == LogFilter(None, BlockNumber(1), None, (address(one),), ((), (hash32(topic), hash32(topic)), ()))
    assert log_filter({"address": [one, one]}).addresses == (address(one), address(one))
    assert log_filter({}) == LogFilter(None, None, None, (), ())
