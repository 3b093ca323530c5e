"""Blocks of mainnet as cases: what eth_getBlockByNumber says of a block, with the state that its execution reads.

The documents are `{"block": ..., "preState": {address: {nonce, balance, codeHash?, storage?}}, "blockHashes": ...}`,
and a code is found by its hash.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chain.block_case import BlockCase, CaseAccount, CaseTransaction, ExpectedBlock
from chain.forks import Fork
from chain.headers import EMPTY_BLOOM
from chain.json_fields import Fields, WrongField, data, word
from chain.keccak import EMPTY_HASH
from chain.mainnet import CHAIN_ID, DAO_FORK, MAINNET
from chain.messages.execution import BlockEnvironment
from chain.system_contracts import SYSTEM_CONTRACTS
from chain.transactions import (
    ACCESS_LIST,
    BLOB,
    DYNAMIC_FEE,
    LEGACY,
    SET_CODE,
    AccessListEntry,
    Authorization,
    Transaction,
    TransactionType,
    sealed,
)
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Hash32, Wei

WEI_PER_GWEI = 10**9
TYPES = (LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE)


def case_of(document: Any, codes: Mapping[str, str]) -> BlockCase:
    """The case of a block. `codes` are those that the block's accounts name by hash. Raises WrongField."""
    fields = Fields(document)
    block = fields.object("block")
    number, timestamp = BlockNumber(block.word("number")), block.word("timestamp")
    fork = MAINNET.at(number, timestamp)
    accounts = _accounts(fields.object("preState"), codes)
    if number == DAO_FORK:
        _move_the_dao(accounts)
    for contract in SYSTEM_CONTRACTS:
        if contract.since <= fork:  # a block that only the rules' own calls go through may not tell of it
            accounts.setdefault(contract.address, CaseAccount(1, Wei(0), contract.code, {}))
    return BlockCase(
        environment=_environment(block, number, timestamp, fork),
        transactions=tuple([_transaction(each) for each in block.objects("transactions")]),
        accounts=accounts,
        block_hashes=_hashes(fields, block, number),
        parent_beacon_root=Hash32(_data_or(block, "parentBeaconBlockRoot", ZERO_HASH)),
        credits=_withdrawals(block),
        expected=_expected(block, fork),
    )


def _environment(block: Fields, number: BlockNumber, timestamp: int, fork: Fork) -> BlockEnvironment:
    """Before the merge the difficulty stands where prevRandao does later (EIP-4399)."""
    difficulty = block.word("difficulty").to_bytes(32, "big")
    return BlockEnvironment(
        chain_id=CHAIN_ID,
        fork=fork,
        number=number,
        timestamp=timestamp,
        beneficiary=Address(block.data("miner", 20)),
        prev_randao=Hash32(block.data("mixHash", 32) if fork >= Fork.PARIS else difficulty),
        gas_limit=Gas(block.word("gasLimit")),
        base_fee=Wei(_word_or(block, "baseFeePerGas", 0)),
        excess_blob_gas=Gas(_word_or(block, "excessBlobGas", 0)),
    )


def _expected(block: Fields, fork: Fork) -> ExpectedBlock:
    """Before Byzantium a receipt holds a state root, which is not known from a part of the state."""
    receipts_root = Hash32(block.data("receiptsRoot", 32)) if fork >= Fork.BYZANTIUM else None
    return ExpectedBlock(Gas(block.word("gasUsed")), receipts_root, block.data("logsBloom", len(EMPTY_BLOOM)))


def _transaction(fields: Fields) -> CaseTransaction:
    kind = _word_or(fields, "type", LEGACY)
    if kind not in TYPES:
        raise WrongField(fields.place("type"), "the type of a transaction", fields.get("type"))
    transaction = sealed(_signed(fields, TransactionType(kind)))
    if fields.get("hash") is not None and fields.data("hash", 32) != transaction.hash:
        raise WrongField(fields.place("hash"), f"0x{transaction.hash.hex()}", fields.get("hash"))
    sender = transaction.sender(any_s=True) if fields.get("from") is None else Address(fields.data("from", 20))
    return CaseTransaction(transaction.raw, sender)


def _signed(fields: Fields, kind: TransactionType) -> Transaction:
    v = fields.word("v") if fields.get("v") is not None else fields.word("yParity")
    chain_id, y_parity = (_word_or(fields, "chainId", CHAIN_ID), v) if kind != LEGACY else _legacy_signature(v)
    price = fields.word("gasPrice") if kind in (LEGACY, ACCESS_LIST) else 0
    transaction = Transaction(
        type=kind,
        chain_id=chain_id,
        nonce=fields.word("nonce"),
        max_fee=Wei(price),
        max_priority_fee=Wei(price),
        gas=Gas(fields.word("gas")),
        to=None if fields.get("to") is None else Address(fields.data("to", 20)),
        value=Wei(fields.word("value")),
        data=fields.data("input"),
        y_parity=y_parity,
        r=fields.word("r"),
        s=fields.word("s"),
    )
    if kind != LEGACY and fields.get("accessList") is not None:
        entries = tuple([_access(each) for each in fields.objects("accessList")])
        transaction = replace(transaction, access_list=entries)
    if kind in (DYNAMIC_FEE, BLOB, SET_CODE):
        max_fee, tip = Wei(fields.word("maxFeePerGas")), Wei(fields.word("maxPriorityFeePerGas"))
        transaction = replace(transaction, max_fee=max_fee, max_priority_fee=tip)
    if kind == BLOB:
        place = fields.place("blobVersionedHashes")
        hashes = tuple([Hash32(data(each, place, 32)) for each in fields.items("blobVersionedHashes")])
        transaction = replace(transaction, max_blob_fee=Wei(fields.word("maxFeePerBlobGas")), blob_hashes=hashes)
    if kind == SET_CODE:
        signed = tuple([_authorization(each) for each in fields.objects("authorizationList")])
        transaction = replace(transaction, authorizations=signed)
    return transaction


def _legacy_signature(v: int) -> tuple[int | None, int]:
    return (None, v - 27) if v in (27, 28) else ((v - 35) // 2, (v - 35) % 2)


def _access(fields: Fields) -> AccessListEntry:
    slots = [word(slot, fields.place("storageKeys")) for slot in fields.items("storageKeys")]
    return AccessListEntry(Address(fields.data("address", 20)), tuple(slots))


def _authorization(fields: Fields) -> Authorization:
    parity = "yParity" if fields.get("yParity") is not None else "v"
    return Authorization(
        chain_id=fields.word("chainId"),
        address=Address(fields.data("address", 20)),
        nonce=fields.word("nonce"),
        y_parity=fields.word(parity),
        r=fields.word("r"),
        s=fields.word("s"),
    )


def _accounts(fields: Fields, codes: Mapping[str, str]) -> dict[Address, CaseAccount]:
    return {
        Address(data(name, fields.place(name), 20)): _account(fields.object(name), codes) for name in fields.names()
    }


def _account(fields: Fields, codes: Mapping[str, str]) -> CaseAccount:
    storage = fields.optional("storage")
    slots = {} if storage is None else {word(name, storage.place(name)): storage.word(name) for name in storage.names()}
    return CaseAccount(_number(fields, "nonce"), Wei(_number(fields, "balance")), _code(fields, codes), slots)


def _code(fields: Fields, codes: Mapping[str, str]) -> bytes:
    if fields.get("code") is not None:
        return fields.data("code")
    code_hash = fields.get("codeHash")
    if code_hash is None or code_hash == "0x" + EMPTY_HASH.hex():
        return b""
    if not isinstance(code_hash, str) or code_hash not in codes:
        raise WrongField(fields.place("codeHash"), "the hash of a code in codes.json.gz", code_hash)
    return data(codes[code_hash], f"codes.json.gz: {code_hash}")


def _hashes(fields: Fields, block: Fields, number: BlockNumber) -> dict[BlockNumber, Hash32]:
    hashes = {BlockNumber(number - 1): Hash32(block.data("parentHash", 32))}
    told = fields.optional("blockHashes")
    for name in () if told is None else told.names():
        if not name.isdecimal():
            raise WrongField(f"blockHashes.{name}", "the number of a block", name)
        assert told is not None
        hashes[BlockNumber(int(name))] = Hash32(told.data(name, 32))
    return hashes


def _move_the_dao(accounts: dict[Address, CaseAccount]) -> None:
    """What block 1,920,000 did before its first transaction: the DAO's ether went to a contract that gives it back."""
    from eth.vm.forks.homestead.headers import dao_drain_list, dao_refund_contract

    refund = Address(bytes(dao_refund_contract))
    for drained in (Address(bytes.fromhex(each.removeprefix("0x"))) for each in dao_drain_list):
        if drained in accounts:
            moved = accounts[drained].balance
            before = accounts.get(refund, CaseAccount(0, Wei(0), b"", {}))
            accounts[drained] = replace(accounts[drained], balance=Wei(0))
            accounts[refund] = replace(before, balance=Wei(before.balance + moved))


def _withdrawals(block: Fields) -> dict[Address, Wei]:
    """What validators withdraw (EIP-4895), in wei."""
    credits_: dict[Address, Wei] = {}
    if block.get("withdrawals") is not None:
        for each in block.objects("withdrawals"):
            address = Address(each.data("address", 20))
            credits_[address] = Wei(credits_.get(address, 0) + each.word("amount") * WEI_PER_GWEI)
    return credits_


def _number(fields: Fields, name: str) -> int:
    """A plain number, or one in 0x hex."""
    return fields.word(name) if isinstance(fields.get(name), str) else fields.integer(name)


def _word_or(fields: Fields, name: str, default: int) -> int:
    return default if fields.get(name) is None else fields.word(name)


def _data_or(fields: Fields, name: str, default: bytes) -> bytes:
    return default if fields.get(name) is None else fields.data(name, 32)
