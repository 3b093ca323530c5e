"""Asks the executable specification (ethereum/execution-specs) what a block does.

It lives in an environment of its own, made once beside the project's, because it pins an older `cryptography`.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from chain.block_case import BlockCase
from chain.rlp import encode_bytes, encode_list
from chain.types import Address, Gas, Hash32

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
ENVIRONMENT = PROJECT / ".venv-specification"
REQUIREMENTS = HERE / "requirements.txt"


class SpecificationMissing(Exception):
    """Its environment could not be made; the message is pip's."""


class SpecificationBroke(Exception):
    """It adds lengths as 256-bit numbers that are not bounded before (modexp.py), and cannot go on: nobody knows what
    the block does. The message is its traceback.
    """


@dataclass(frozen=True, slots=True)
class Expected:
    """What the specification makes of a block; `rejected` are positions in the block."""

    state_root: Hash32
    receipts_root: Hash32
    gas_used: Gas
    logs_bloom: bytes
    requests_hash: Hash32 | None
    rejected: dict[int, str]
    accounts: dict[Address, Any]


class Specification:
    """The specification in a process of its own. Raises SpecificationMissing."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [interpreter(), str(HERE / "transition.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Specification":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, case: BlockCase, positions: Iterable[int]) -> Expected:
        """The block of these transactions of the case. Raises SpecificationBroke."""
        chosen = list(positions)
        said = self._ask(_question(case, [case.transactions[position].raw for position in chosen]))
        result = said["result"]
        requests_hash = result.get("requestsHash")
        return Expected(
            state_root=_hash(result["stateRoot"]),
            receipts_root=_hash(result["receiptsRoot"]),
            gas_used=Gas(int(result["gasUsed"], 16)),
            logs_bloom=bytes.fromhex(result["logsBloom"][2:]),
            requests_hash=None if requests_hash is None else _hash(requests_hash),
            rejected={chosen[row["index"]]: row["error"] for row in result["rejected"]},
            accounts={Address(bytes.fromhex(address[2:])): row for address, row in said["alloc"].items()},
        )

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the specification ended by itself: it said why above"
        answer = json.loads(line)
        if "broke" in answer:
            raise SpecificationBroke(answer["broke"])
        return answer


def _question(case: BlockCase, raws: Sequence[bytes]) -> Any:
    block = case.environment
    return {
        "fork": block.fork.label.capitalize(),
        "chainId": block.chain_id,
        "env": {
            "currentCoinbase": _hex(block.beneficiary),
            "currentGasLimit": hex(block.gas_limit),
            "currentNumber": hex(block.number),
            "currentTimestamp": hex(block.timestamp),
            "currentRandom": _hex(block.prev_randao),
            "currentBaseFee": hex(block.base_fee),
            "currentExcessBlobGas": hex(block.excess_blob_gas),
            "parentBeaconBlockRoot": _hex(case.parent_beacon_root),
            "blockHashes": {hex(number): _hex(hash) for number, hash in case.block_hashes.items()},
            "withdrawals": [],
        },
        "alloc": {
            _hex(address): {
                "nonce": hex(account.nonce),
                "balance": hex(account.balance),
                "code": _hex(account.code),
                "storage": {hex(slot): hex(value) for slot, value in account.slots.items()},
            }
            for address, account in case.accounts.items()
        },
        "txs": _hex(encode_list([raw if raw[0] >= 0xC0 else encode_bytes(raw) for raw in raws])),
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _hash(text: str) -> Hash32:
    return Hash32(bytes.fromhex(text[2:]))


def interpreter() -> str:
    """The interpreter of its environment, which is made first where it is not there as it should be."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp, python = ENVIRONMENT / "installed", ENVIRONMENT / "bin" / "python"
    with (PROJECT / ".venv-specification-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)])
            pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
            _run([*pip, "-r", str(REQUIREMENTS)])
            stamp.write_text(wanted)
    return str(python)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SpecificationMissing(done.stderr.strip() or done.stdout.strip())
