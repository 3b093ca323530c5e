"""Tracers that are JavaScript, as geth runs them (eth/tracers/js/goja.go).

Such a tracer is an object with the functions step(log, db), fault(log, db), enter(frame), exit(frame), setup(config)
and result(ctx, db); only fault and result are required.

The engine is QuickJS, which reaches neither files nor the network.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any, Protocol

import orjson
import quickjs

from chain.accounts import WITHOUT_CODE
from chain.types import Address
from execution.errors import ExecutionError
from execution.evm.call_instructions import contract_address, created_address
from execution.evm.program import OP_RETURN, OP_SELFDESTRUCT, OP_STOP
from execution.evm.stepping import OP_SSTORE, CallKind, Entered, Left, Step, SteppingFrame
from execution.outcome import Outcome, StateView
from execution.tracers.opcode_names import opcode_name
from execution.tracers.tracer import BadTracerOptions, Options, Run, Tracer

MAX_MEMORY_BYTES = 64 * 1024 * 1024
MAX_STACK_BYTES = 512 * 1024
CALL_LIMIT_S = 1.0
"""Of processor time, for one call of a tracer that asks nothing of Python: QuickJS cannot be interrupted in one that
does, and a reader that such a tracer holds up is ended like every one that is stuck."""
ASK = "(...given) => askPython(...given)"
SOURCE = re.compile(r"[{(]")
"""What a name has not and an object, or a function that gives one, has."""
ENDINGS = frozenset((OP_STOP, OP_RETURN, OP_SELFDESTRUCT))
"""After these a frame can only fail as a creation whose code is refused, which is no instruction's fault."""


class TracerFailed(ExecutionError):
    """An exception in one of the tracer's functions."""

    def __init__(self, function: str, error: Exception) -> None:
        super().__init__(f"{_first_line(error)}    in server-side tracer function '{function}'")


class JavaScriptTracer(Tracer):
    """`source` is an expression that gives the tracer's object. Raises BadTracerOptions for what is none."""

    wants_steps = True
    wants_stack = True
    wants_old_slots = True

    def __init__(self, source: str, options: Options) -> None:
        super().__init__()
        self._context = quickjs.Context()
        self._context.set_memory_limit(MAX_MEMORY_BYTES)
        self._context.set_max_stack_size(MAX_STACK_BYTES)
        self._context.set_time_limit(CALL_LIMIT_S)
        try:
            self._run_in_js = self._context.eval(_bridge())(source, self._context.eval(ASK))
            shape = orjson.loads(self._run_in_js("shape", ""))
            self._has = frozenset(shape["has"])
            self._check()
            if shape["asksPython"]:
                self._context.set_time_limit(-1)
                self._context.add_callable("askPython", self._answer)
            self._run_in_js("setup", orjson.dumps(options).decode())
        except quickjs.JSException as error:
            raise BadTracerOptions(_first_line(error)) from None
        self.wants_memory = "memory" in source
        self._run: Run | None = None
        self._failure: TracerFailed | None = None
        self._last: dict[int, Step] = {}
        self._told: Step | None = None
        self._shown: SteppingFrame | None = None
        self._ctx: dict[str, Any] = {}
        self._reading: Reading | None = None

    def _check(self) -> None:
        for name in ("result", "fault"):
            if name not in self._has:
                raise BadTracerOptions(f"trace object must expose a function {name}()")
        if ("enter" in self._has) != ("exit" in self._has):
            raise BadTracerOptions("trace object must expose either both or none of enter() and exit()")

    def began(self, run: Run) -> None:
        self._run, self._reading = run, ViewReading(run.view)
        self._call("began", sorted(address.hex() for address in run.precompiles))

    def step(self, step: Step) -> None:
        self._last[step.depth] = self._told = step
        if "step" in self._has:
            self._call("step", self._step_json(step, step.error))

    def enter(self, entered: Entered) -> None:
        self._last.pop(entered.depth + 1, None)
        shown = {
            "type": entered.kind.name,
            "from": entered.sender.hex(),
            "to": entered.to.hex(),
            "input": entered.data.hex(),
            "gas": entered.gas,
            "value": None if entered.value is None else f"{entered.value:x}",
        }
        if entered.depth:
            self._call("enter", shown)
        else:
            kind = CallKind.CREATE if entered.kind == CallKind.CREATE else CallKind.CALL
            self._ctx = shown | {"type": kind.name, "value": f"{entered.value or 0:x}"}

    def leave(self, left: Left) -> None:
        last = self._last.pop(left.depth + 1, None)
        if left.error and last is not None and not last.error and last.opcode not in ENDINGS:
            self._call("fault", self._step_json(last, left.error))
        output = left.output.hex()
        if left.depth:
            self._call("exit", {"gasUsed": left.gas_used, "output": output, "error": left.error})
        else:
            self._ctx |= {"output": output} | ({"error": left.error} if left.error else {})

    def ended(self, outcome: Outcome, after: StateView) -> None:
        assert self._run is not None
        self._reading, self._told = ViewReading(after), None
        transaction, environment = self._run.transaction, self._run.environment
        tip = min(transaction.max_priority_fee, max(transaction.max_fee - environment.base_fee, 0))
        self._ctx |= {
            "block": environment.number,
            "coinbase": environment.beneficiary.hex(),
            "gas": transaction.gas,
            "gasPrice": f"{tip:x}",
            "gasUsed": outcome.gas_used,
        }

    def result(self) -> bytes:
        """Raises TracerFailed."""
        if self._failure is None:
            told = self._call("result", self._ctx)
        if self._failure is not None:
            raise self._failure
        assert isinstance(told, str)
        self.grow(len(told))
        return told.encode()

    def _call(self, function: str, argument: Any) -> Any:
        """One of the tracer's functions, if it has it; after a failure none is called any more."""
        if self._failure is not None or (function != "began" and function not in self._has):
            return None
        try:
            return self._run_in_js(function, json.dumps(argument))
        except quickjs.JSException as error:
            self._failure = TracerFailed(function, error)
            return None

    def _step_json(self, step: Step, error: str) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "op": step.opcode,
            "name": opcode_name(step.opcode),
            "pc": step.pc,
            "gas": step.gas,
            "cost": step.cost,
            "depth": step.depth,
            "refund": step.refund,
            "error": error,
            "stack": [f"{word:x}" for word in step.stack],
            "memory": step.memory.hex(),
        }
        if step.frame is not self._shown:
            self._shown, self._reading, message = step.frame, step.frame.state.db, step.frame.msg
            shown["frame"] = {
                "caller": message.sender.hex(),
                "address": step.address.hex(),
                "value": f"{message.value:x}",
                "input": b"".hex() if message.is_create else bytes(message.data).hex(),
            }
        return shown

    def _answer(self, asked: str, address_hex: str, *rest: str) -> str:
        """What JavaScript asks of the state as it is, or of hashes."""
        address = Address(bytes.fromhex(address_hex))
        if asked == "contract":
            return contract_address(address, int(rest[0])).hex()
        if asked == "contract2":
            salt, code = int(rest[0], 16), bytes.fromhex(rest[1])
            return created_address(address, 0, code, salt).hex()
        return self._read(asked, address, *(int(each, 16) for each in rest))

    def _read(self, asked: str, address: Address, slot: int = 0) -> str:
        """Of an account, in hex digits: the state that the newest step runs on, or that the run left.

        A step is told when it has been carried out, so what it took away is taken from the step itself.
        """
        db = self._reading
        assert db is not None, "nothing is asked before the run begins"
        if asked == "balance":
            step = self._newest(OP_SELFDESTRUCT, address)
            return f"{db.get_balance(address) if step is None else step.before:x}"
        if asked == "nonce":
            return str(db.get_nonce(address))
        if asked == "code":
            return db.get_code(address).hex()
        if asked == "slot":
            step = self._newest(OP_SSTORE, address)
            if step is not None and step.operand(0) == slot:
                return f"{step.before:064x}"
            return f"{db.get_storage(address, slot):064x}"
        return str(int(db.account_exists(address)))

    def _newest(self, opcode: int, address: Address) -> Step | None:
        """The newest step, if it was this one, of this account."""
        step = self._told
        was_it = step is not None and not step.error and (step.opcode, step.address) == (opcode, address)
        return step if was_it else None


class Reading(Protocol):
    """What `db` is read from."""

    def get_balance(self, address: Address) -> int: ...

    def get_nonce(self, address: Address) -> int: ...

    def get_code(self, address: Address) -> bytes: ...

    def get_storage(self, address: Address, slot: int) -> int: ...

    def account_exists(self, address: Address) -> bool: ...


class ViewReading:
    """A state that nothing runs on."""

    def __init__(self, view: StateView) -> None:
        self._view = view

    def get_balance(self, address: Address) -> int:
        return self._view.account(address).balance

    def get_nonce(self, address: Address) -> int:
        return self._view.account(address).nonce

    def get_code(self, address: Address) -> bytes:
        code_hash = self._view.account(address).code_hash
        return b"" if code_hash in WITHOUT_CODE else self._view.code(code_hash)

    def get_storage(self, address: Address, slot: int) -> int:
        return self._view.slot(address, slot)

    def account_exists(self, address: Address) -> bool:
        account = self._view.account(address)
        return bool(account.nonce or account.balance or account.code_hash not in WITHOUT_CODE)


@functools.cache
def _bridge() -> str:
    return Path(__file__).with_name("javascript_bridge.js").read_text()


def _first_line(error: Exception) -> str:
    """Without where it was; QuickJS calls it null when there is no memory left."""
    words = str(error).strip().partition("\n")[0]
    return "out of memory" if words in ("", "null") else words
