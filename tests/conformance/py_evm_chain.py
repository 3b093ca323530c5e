"""Blockchain tests made by py-evm: a chain of a few blocks whose transactions do what the forks do differently.

Up to Cancun: from Prague on a block needs the system calls, which py-evm leaves out when it makes blocks.
"""

import random
import warnings
from typing import Any

import rlp
from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth_keys import keys

from chain.forks import Fork
from execution.evm.py_evm_serial import VMS

KEY = keys.PrivateKey(b"\x11" * 32)
SENDER = KEY.public_key.to_canonical_address()
CONTRACTS = [bytes([0xC0 + index]) * 20 for index in range(6)]
NOBODY = b"\x99" * 20
EMPTY = [b"\xe1" * 20, b"\xe2" * 20, b"\xe3" * 20, bytes(19) + b"\x03"]
"""Accounts that are there and empty, as none is from Cancun on: RIPEMD-160's contract among them."""
BALANCE = 10**20
GAS, GAS_PRICE = 400_000, 10**10
BLOCKS, TRANSACTIONS = 2, 8
NETWORKS = {
    Fork.FRONTIER: "Frontier",
    Fork.HOMESTEAD: "Homestead",
    Fork.TANGERINE_WHISTLE: "EIP150",
    Fork.SPURIOUS_DRAGON: "EIP158",
    Fork.BYZANTIUM: "Byzantium",
    Fork.CONSTANTINOPLE: "Constantinople",
    Fork.PETERSBURG: "ConstantinopleFix",
    Fork.ISTANBUL: "Istanbul",
    Fork.BERLIN: "Berlin",
    Fork.LONDON: "London",
    Fork.PARIS: "Paris",
    Fork.SHANGHAI: "Shanghai",
    Fork.CANCUN: "Cancun",
}


def blockchain_test(fork: Fork, seed: int) -> dict[str, Any]:
    """A test in the format of the official ones, from a seed."""
    rng = random.Random(f"{fork.name} {seed}")
    contracts = {address: _program(rng) for address in CONTRACTS}
    chain = _chain(fork, contracts)
    genesis = chain.get_canonical_block_header_by_number(0)
    blocks = []
    for number in range(BLOCKS):
        encoded = rlp.encode(_block(chain, rng, number))
        blocks.append(
            {"rlp": "0x" + encoded.hex(), "blockHeader": {"hash": "0x" + chain.get_canonical_head().hash.hex()}}
        )
    parts = [genesis, [], []] + ([[]] if fork >= Fork.SHANGHAI else [])
    return {
        "network": NETWORKS[fork],
        "genesisRLP": "0x" + rlp.encode(parts).hex(),
        "pre": {
            "0x" + SENDER.hex(): {"balance": hex(BALANCE)},
            **{"0x" + a.hex(): {"nonce": "0x1", "code": "0x" + code.hex()} for a, code in contracts.items()},
            **{"0x" + address.hex(): {} for address in _empty_accounts(fork)},
        },
        "blocks": blocks,
        "lastblockhash": "0x" + chain.get_canonical_head().hash.hex(),
    }


def _block(chain: Any, rng: random.Random, number: int) -> Any:
    first = number * TRANSACTIONS
    transactions = [_transaction(chain, rng, nonce) for nonce in range(first, first + TRANSACTIONS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SELFDESTRUCT
        return chain.mine_all(transactions)[0].imported_block


def _chain(fork: Fork, contracts: dict[bytes, bytes]) -> Any:
    vm = VMS[fork].configure(consensus_class=NoProofConsensus)
    if fork == Fork.HOMESTEAD:
        vm = vm.configure(support_dao_fork=False)
    chain_class = MiningChain.configure("Chain", vm_configuration=((0, vm),), chain_id=1)
    header = {
        "difficulty": 0 if fork >= Fork.PARIS else 131_072,
        "gas_limit": 20_000_000,
        "timestamp": 1_000,
        "extra_data": b"",
        "nonce": bytes(8),
        "mix_hash": bytes(32),
    }
    state = {address: {"balance": 0, "nonce": 1, "code": code, "storage": {}} for address, code in contracts.items()}
    state[SENDER] = {"balance": BALANCE, "nonce": 0, "code": b"", "storage": {}}
    state |= {address: {"balance": 0, "nonce": 0, "code": b"", "storage": {}} for address in _empty_accounts(fork)}
    return chain_class.from_genesis(AtomicDB(), header, state)


def _empty_accounts(fork: Fork) -> list[bytes]:
    return [] if fork >= Fork.CANCUN else EMPTY


def _transaction(chain: Any, rng: random.Random, nonce: int) -> Any:
    creates = rng.random() < 0.25
    unsigned = chain.create_unsigned_transaction(
        nonce=nonce,
        gas_price=GAS_PRICE,
        gas=GAS if rng.random() < 0.8 else rng.randrange(60_000, 120_000),
        to=b"" if creates else rng.choice([*CONTRACTS, NOBODY, EMPTY[0]]),
        value=rng.choice([0, 1, 10**15]),
        data=_creation(rng) if creates else rng.randbytes(rng.choice([0, 4, 32])),
    )
    return unsigned.as_signed_transaction(KEY)


def _push(value: int, size: int = 1) -> bytes:
    return bytes([0x5F + size]) + value.to_bytes(size, "big")


def _call(rng: random.Random, opcode: int) -> bytes:
    """A call of a contract, a precompiled one or nobody, with or without value; its success is dropped."""
    to = rng.choice(
        [*CONTRACTS, NOBODY, *EMPTY[:2], rng.randbytes(20), *(number.to_bytes(20, "big") for number in range(1, 9))]
    )
    value = _push(rng.choice([0, 0, 1])) if opcode in (0xF1, 0xF2) else b""
    gas = _push(rng.choice([0, 5_000, 40_000]), 3)
    return _push(32) + _push(0) + _push(64) + _push(0) + value + b"\x73" + to + gas + bytes([opcode, 0x50])


def _store(rng: random.Random) -> bytes:
    return _push(rng.choice([0, 0, 1, 2])) + _push(rng.randrange(3)) + b"\x55"


def _look(rng: random.Random) -> bytes:
    """BALANCE, EXTCODESIZE, SLOAD, EXP, DIFFICULTY and the like; what they give is kept in memory."""
    address = b"\x73" + rng.choice([*CONTRACTS, NOBODY, SENDER])
    looks = [address + b"\x31", address + b"\x3b", address + b"\x3f", b"\x44", b"\x45", b"\x5a", b"\x47"]
    looks += [_push(rng.randrange(3)) + b"\x54", _push(1) + _push(9) + b"\x1b"]
    looks += [_push(rng.randrange(2**16), 2) + _push(3) + b"\x0a"]
    look: bytes = rng.choice(looks)
    return look + _push(32 * rng.randrange(3)) + b"\x52"


def _create(rng: random.Random) -> bytes:
    """CREATE or CREATE2 of what a few bytes of init code make."""
    code = b"\x60" + bytes([rng.randrange(64)]) + b"\x60\x00" + rng.choice([b"\xf3", b"\xff", b"\x00", b"\xfd"])
    stored = bytes([0x5F + len(code)]) + code + _push(0) + b"\x52"
    salt, opcode = (_push(rng.randrange(3)), b"\xf5") if rng.random() < 0.3 else (b"", b"\xf0")
    return stored + salt + _push(len(code)) + _push(32 - len(code)) + _push(rng.choice([0, 0, 1])) + opcode + b"\x50"


def _log(rng: random.Random) -> bytes:
    return _push(7) + _push(32) + _push(0) + b"\xa1"


def _program(rng: random.Random) -> bytes:
    """A few steps; what the fork has not ends it, as does running out of gas."""
    calls = [lambda r, opcode=opcode: _call(r, opcode) for opcode in (0xF1, 0xF1, 0xF2, 0xF4, 0xFA)]
    steps = [_store, _store, _store, _look, _look, _create, _log, *calls]
    body = b"".join(rng.choice(steps)(rng) for _ in range(rng.randrange(3, 10)))
    destroys = [b"\x73" + rng.choice([NOBODY, SENDER, EMPTY[2]]) + b"\xff", b"\x30\xff"]
    returns = [b"\x00", b"\x00", _push(32) + _push(0) + b"\xf3", _push(0) + _push(0) + b"\xfd", b"\xfe"]
    end: bytes = rng.choice([*destroys, *returns])
    return body + end


def _creation(rng: random.Random) -> bytes:
    """Init code that returns some of its memory, sometimes more than can be paid for."""
    size = rng.choice([0, 1, 40, 1_500])
    return _store(rng) + _look(rng) + _push(size, 2) + _push(0) + b"\xf3"
