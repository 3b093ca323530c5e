"""geth's prestateTracer: the accounts that a transaction touches as they were before it, or before and after it
(eth/tracers/native/prestate.go)."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from chain.accounts import WITHOUT_CODE
from chain.forks import Fork
from chain.keccak import EMPTY_HASH
from chain.signing import InvalidSignature
from chain.types import Address, Hash32
from execution.evm.call_instructions import contract_address, created_address, delegate_of
from execution.evm.program import OP_SELFDESTRUCT
from execution.evm.stepping import CALLS, CREATIONS, OP_CREATE2, Step
from execution.outcome import Outcome, StateView
from execution.tracers.tracer import BadTracerOptions, Options, Run, Tracer, flag

OP_BALANCE, OP_EXTCODESIZE, OP_EXTCODECOPY, OP_EXTCODEHASH, OP_SLOAD, OP_SSTORE = 0x31, 0x3B, 0x3C, 0x3F, 0x54, 0x55
LOOKING_AT_ACCOUNT = frozenset((OP_BALANCE, OP_EXTCODESIZE, OP_EXTCODECOPY, OP_EXTCODEHASH, OP_SELFDESTRUCT))
ENTRY_BYTES = 200
CONFIG = "prestateTracerConfig"


@dataclass(slots=True)
class _Before:
    """An account when it was first touched, and its slots when they were."""

    nonce: int
    balance: int
    code_hash: Hash32
    code: bytes
    slots: dict[int, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.nonce or self.balance or self.code)


class PrestateTracer(Tracer):
    """With geth's options diffMode, disableCode, disableStorage and includeEmpty."""

    wants_steps = True
    wants_stack = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._diff = flag(options, CONFIG, "diffMode")
        self._shows_code = not flag(options, CONFIG, "disableCode")
        self._shows_storage = not flag(options, CONFIG, "disableStorage")
        self._includes_empty = flag(options, CONFIG, "includeEmpty")
        if self._diff and self._includes_empty:
            raise BadTracerOptions("cannot use diffMode with includeEmpty")
        self._before: dict[Address, _Before] = {}
        self._created: set[Address] = set()
        self._deleted: set[Address] = set()
        self._run: Run | None = None
        self._pre: dict[str, Any] = {}
        self._post: dict[str, Any] = {}

    @property
    def _view(self) -> StateView:
        assert self._run is not None
        return self._run.view

    def began(self, run: Run) -> None:
        self._run = run
        transaction, to = run.transaction, run.transaction.to
        if to is None:
            to = contract_address(run.sender, run.view.account(run.sender).nonce)
            self._created.add(to)
        else:
            self._look_at_delegate(to)
        for address in (run.sender, to, run.environment.beneficiary):
            self._look_at(address)
        for authorization in transaction.authorizations:
            try:
                self._look_at(authorization.authority())
            except InvalidSignature:
                continue

    def step(self, step: Step) -> None:
        if step.error:
            return
        opcode = step.opcode
        if opcode in (OP_SLOAD, OP_SSTORE):
            self._look_at_slot(step.address, step.operand(0))
        elif opcode in LOOKING_AT_ACCOUNT:
            self._look_at(step.named_address(0))
            if opcode == OP_SELFDESTRUCT:
                self._self_destruct(step.address)
        elif opcode in CALLS:
            self._look_at(step.named_address(1))
            self._look_at_delegate(step.named_address(1), step)
        elif opcode in CREATIONS:
            self._create(step)

    def ended(self, outcome: Outcome, after: StateView) -> None:
        for address, before in self._before.items():
            if self._diff:
                self._compare(address, before, after)
            elif self._includes_empty or not before.is_empty:
                self._pre["0x" + address.hex()] = self._shown(before, before.slots)

    def result(self) -> bytes:
        return orjson.dumps({"post": self._post, "pre": self._pre} if self._diff else self._pre)

    def _look_at(self, address: Address) -> None:
        if address in self._before:
            return
        account = self._view.account(address)
        code = b"" if account.code_hash in WITHOUT_CODE else self._view.code(account.code_hash)
        self._before[address] = _Before(account.nonce, account.balance, account.code_hash, code)
        self.grow(ENTRY_BYTES + (2 * len(code) if self._shows_code else 0))

    def _look_at_delegate(self, address: Address, step: Step | None = None) -> None:
        """An account whose code stands elsewhere is there what it delegates to (EIP-7702)."""
        assert self._run is not None
        if self._run.environment.fork < Fork.PRAGUE:
            return
        if step is None:
            code_hash = self._view.account(address).code_hash
            code = b"" if code_hash in WITHOUT_CODE else self._view.code(code_hash)
        else:
            code = step.frame.state.db.get_code(address)
        delegate = delegate_of(code)
        if delegate is not None:
            self._look_at(delegate)

    def _look_at_slot(self, address: Address, slot: int) -> None:
        self._look_at(address)
        slots = self._before[address].slots
        if self._shows_storage and slot not in slots:
            slots[slot] = self._view.slot(address, slot)
            self.grow(ENTRY_BYTES)

    def _create(self, step: Step) -> None:
        """The account that a creation is going to make. Its nonce has not been raised when the step is told."""
        db = step.frame.state.db
        at, size = step.operand(1), step.operand(2)
        salt = step.operand(3) if step.opcode == OP_CREATE2 else None
        init_code = bytes(step.frame.memory[at : at + size]).ljust(size, b"\0") if salt is not None else b""
        created = created_address(step.address, db.get_nonce(step.address), init_code, salt)
        self._look_at(created)
        self._created.add(created)

    def _self_destruct(self, address: Address) -> None:
        assert self._run is not None
        if self._run.environment.fork < Fork.CANCUN or address in self._created:
            self._deleted.add(address)

    def _shown(self, before: _Before, slots: dict[int, int]) -> dict[str, Any]:
        shown: dict[str, Any] = {"balance": hex(before.balance)}
        if self._shows_code and before.code:
            shown["code"] = "0x" + before.code.hex()
        if before.code_hash not in WITHOUT_CODE:
            shown["codeHash"] = "0x" + before.code_hash.hex()
        if before.nonce:
            shown["nonce"] = before.nonce
        if slots:
            shown["storage"] = {_word(slot): _word(value) for slot, value in slots.items()}
        return shown

    def _compare(self, address: Address, before: _Before, after: StateView) -> None:
        """Both sides of an account that changed; what it does not have any more stands in `pre` only."""
        name = "0x" + address.hex()
        if address in self._deleted:
            if not before.is_empty:
                self._pre[name] = self._shown(before, before.slots)
            return
        changed: dict[str, Any] = {}
        account = after.account(address)
        if account.balance != before.balance:
            changed["balance"] = hex(account.balance)
        if account.nonce != before.nonce:
            changed["nonce"] = account.nonce
        code_hash = EMPTY_HASH if account.code_hash in WITHOUT_CODE else account.code_hash
        if code_hash != (EMPTY_HASH if before.code_hash in WITHOUT_CODE else before.code_hash):
            changed["codeHash"] = "0x" + code_hash.hex()
            if self._shows_code:
                changed["code"] = "0x" + (after.code(code_hash) if code_hash != EMPTY_HASH else b"").hex()
        slots = {slot: (value, after.slot(address, slot)) for slot, value in before.slots.items()}
        slots = {slot: values for slot, values in slots.items() if values[0] != values[1]}
        if slots:
            changed["storage"] = {_word(slot): _word(new) for slot, (_, new) in slots.items() if new}
        if not changed:
            return
        if "storage" in changed and not changed["storage"]:
            del changed["storage"]
        self._post[name] = changed
        if not before.is_empty:
            self._pre[name] = self._shown(before, {slot: old for slot, (old, _) in slots.items() if old})


def _word(value: int) -> str:
    return f"0x{value:064x}"
