"""A block case as JSON: the form of its files and of tandem_getBlockCase.

Counts, numbers and times are plain integers; hashes, addresses, code, wei, slots and their values are 0x hex.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from chain.block_case import (
    BlockCase,
    CaseAccount,
    CaseMismatch,
    CaseTransaction,
    DifferingTransaction,
    ExpectedBlock,
)
from chain.errors import ChainError
from chain.forks import UnknownFork, fork_named
from chain.headers import EMPTY_BLOOM
from chain.json_fields import Fields, WrongField, data, word
from chain.messages.execution import BlockEnvironment
from chain.types import SIGNATURE_BYTES, Address, BlockNumber, Gas, Hash32, PretendedSignature, Wei

_RESULTS = ("expected", "mismatch")
FORMAT, VERSION = "tandem-block-case", 1


class BlockCaseError(ChainError):
    """JSON that is not a block case; the text says which field is wrong and what belongs there."""


def case_to_json(case: BlockCase) -> dict[str, Any]:
    """Plain values, for any writer of JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": _environment_to_json(case),
        "transactions": [
            {"raw": _hex(tx.raw), "sender": None if tx.sender is None else _hex(tx.sender)} for tx in case.transactions
        ],
        "preState": {_hex(address): _account_to_json(account) for address, account in case.accounts.items()},
        "blockHashes": {str(number): _hex(block_hash) for number, block_hash in case.block_hashes.items()},
        "credits": {_hex(address): hex(amount) for address, amount in case.credits.items()},
        "expected": None if case.expected is None else _expected_to_json(case.expected),
        "mismatch": None if case.mismatch is None else _mismatch_to_json(case.mismatch),
    }


def case_from_json(value: Any) -> BlockCase:
    """The case in decoded JSON. Raises BlockCaseError."""
    try:
        fields = Fields(value)
        _check_format(fields)
        environment, beacon_root = _environment(fields.object("environment"))
        expected, mismatch = fields.optional("expected"), fields.optional("mismatch")
        return BlockCase(
            environment=environment,
            transactions=tuple([_transaction(each) for each in fields.objects("transactions")]),
            accounts=_accounts(fields.object("preState")),
            block_hashes=_hashes(fields.object("blockHashes")),
            parent_beacon_root=beacon_root,
            credits=_credits(fields.optional("credits")),
            expected=None if expected is None else _expected(expected),
            mismatch=None if mismatch is None else _mismatch(mismatch),
        )
    except ChainError as error:
        raise BlockCaseError(f"not a block case: {error}") from None


def write_case(path: Path, case: BlockCase) -> None:
    """Raises OSError."""
    path.write_bytes(orjson.dumps(case_to_json(case), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _environment_to_json(case: BlockCase) -> dict[str, Any]:
    environment = case.environment
    return {
        "chainId": environment.chain_id,
        "fork": environment.fork.label,
        "number": environment.number,
        "timestamp": environment.timestamp,
        "beneficiary": _hex(environment.beneficiary),
        "prevRandao": _hex(environment.prev_randao),
        "gasLimit": environment.gas_limit,
        "baseFee": hex(environment.base_fee),
        "excessBlobGas": environment.excess_blob_gas,
        **({"signatures": dict(_signatures_json(environment))} if environment.signatures else {}),
        "parentBeaconRoot": _hex(case.parent_beacon_root),
    }


def _account_to_json(account: CaseAccount) -> dict[str, Any]:
    return {
        "nonce": account.nonce,
        "balance": hex(account.balance),
        "code": _hex(account.code),
        "storage": {hex(slot): hex(value) for slot, value in sorted(account.slots.items())},
    }


def _expected_to_json(expected: ExpectedBlock) -> dict[str, Any]:
    return {
        "gasUsed": expected.gas_used,
        "receiptsRoot": None if expected.receipts_root is None else _hex(expected.receipts_root),
        "logsBloom": _hex(expected.logs_bloom),
    }


def _mismatch_to_json(mismatch: CaseMismatch) -> dict[str, Any]:
    rows = [{"position": tx.position, "found": tx.found, "serial": tx.serial} for tx in mismatch.transactions]
    return {
        "strategy": mismatch.strategy,
        "workers": mismatch.workers,
        "differences": list(mismatch.differences),
        "transactions": rows,
    }


def _check_format(fields: Fields) -> None:
    if fields.get("format") != FORMAT:
        raise WrongField("format", repr(FORMAT), fields.get("format"))
    if fields.get("version") != VERSION:
        raise WrongField("version", str(VERSION), fields.get("version"))
    fields.only("format", "version", "environment", "transactions", "preState", "blockHashes", "credits", *_RESULTS)


def _credits(fields: Fields | None) -> dict[Address, Wei]:
    names = () if fields is None else fields.names()
    return {Address(data(name, fields.place(name), 20)): Wei(fields.word(name)) for name in names if fields is not None}


def _environment(fields: Fields) -> tuple[BlockEnvironment, Hash32]:
    fields.only(
        *("chainId", "fork", "number", "timestamp", "beneficiary", "prevRandao"),
        *("gasLimit", "baseFee", "excessBlobGas", "parentBeaconRoot", "signatures"),
    )
    try:
        fork = fork_named(fields.text("fork"))
    except UnknownFork:
        raise WrongField(fields.place("fork"), "the name of a fork", fields.get("fork")) from None
    environment = BlockEnvironment(
        chain_id=fields.integer("chainId"),
        fork=fork,
        number=BlockNumber(fields.integer("number")),
        timestamp=fields.integer("timestamp"),
        beneficiary=Address(fields.data("beneficiary", 20)),
        prev_randao=Hash32(fields.data("prevRandao", 32)),
        gas_limit=Gas(fields.integer("gasLimit")),
        base_fee=Wei(fields.word("baseFee")),
        excess_blob_gas=Gas(fields.integer("excessBlobGas")),
        signatures=_signatures(fields.optional("signatures")),
    )
    return environment, Hash32(fields.data("parentBeaconRoot", 32))


def _signatures_json(environment: BlockEnvironment) -> Iterator[tuple[str, str]]:
    return ((_hex(signature), _hex(signer)) for signature, signer in environment.signatures)


def _signatures(fields: Fields | None) -> tuple[PretendedSignature, ...]:
    """Whose ECRECOVER says that they are, by the signatures."""
    if fields is None:
        return ()
    named = ((name, data(name, fields.place(name), SIGNATURE_BYTES)) for name in fields.names())
    return tuple((signature, Address(fields.data(name, 20))) for name, signature in named)


def _transaction(fields: Fields) -> CaseTransaction:
    fields.only("raw", "sender")
    sender = None if fields.get("sender") is None else Address(fields.data("sender", 20))
    return CaseTransaction(fields.data("raw"), sender)


def _accounts(fields: Fields) -> dict[Address, CaseAccount]:
    return {Address(data(name, fields.place(name), 20)): _account(fields.object(name)) for name in fields.names()}


def _account(fields: Fields) -> CaseAccount:
    fields.only("nonce", "balance", "code", "storage")
    storage = fields.object("storage")
    slots = {word(name, storage.place(name)): storage.word(name) for name in storage.names()}
    return CaseAccount(fields.integer("nonce"), Wei(fields.word("balance")), fields.data("code"), slots)


def _hashes(fields: Fields) -> dict[BlockNumber, Hash32]:
    return {_number(name, fields): Hash32(fields.data(name, 32)) for name in fields.names()}


def _number(name: str, fields: Fields) -> BlockNumber:
    if not name.isdecimal() or not name.isascii() or len(name) > 20:
        raise WrongField(fields.place(name), "the number of a block", name)
    return BlockNumber(int(name))


def _expected(fields: Fields) -> ExpectedBlock:
    fields.only("gasUsed", "receiptsRoot", "logsBloom")
    return ExpectedBlock(
        gas_used=Gas(fields.integer("gasUsed")),
        receipts_root=None if fields.get("receiptsRoot") is None else Hash32(fields.data("receiptsRoot", 32)),
        logs_bloom=fields.data("logsBloom", len(EMPTY_BLOOM)),
    )


def _mismatch(fields: Fields) -> CaseMismatch:
    fields.only("strategy", "workers", "differences", "transactions")
    return CaseMismatch(
        strategy=fields.text("strategy"),
        workers=fields.integer("workers"),
        differences=fields.texts("differences"),
        transactions=tuple([_differing(each) for each in fields.objects("transactions")]),
    )


def _differing(fields: Fields) -> DifferingTransaction:
    fields.only("position", "found", "serial")
    return DifferingTransaction(fields.integer("position"), fields.text("found"), fields.text("serial"))
