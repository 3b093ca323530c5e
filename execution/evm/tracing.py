"""An engine that tells what else a run did than what its outcome depends on: what it looked at, and what it hashed.

The instruction that hashes is another one in its instruction set, and its account database another class, so a run that
nobody traces pays nothing.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from chain.forks import Fork
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.transactions import Transaction
from chain.types import Address, Hash32
from execution import system_calls
from execution.engine import COMPILED, rules_of
from execution.evm.account_db import AccountDB
from execution.evm.compiler import BlockCompiler
from execution.evm.executor import Executor
from execution.evm.instructions import keccak
from execution.evm.program import ON_FRAME, Compilation, Instruction, InstructionSet, ProgramCache
from execution.outcome import Outcome, Slot, StateView, Writes

if TYPE_CHECKING:
    from execution.evm.computation import Computation

OP_KECCAK = 0x20
MAX_PREIMAGE_BYTES = 1024
"""Keys of mappings are shorter."""


class TracedView(StateView, Protocol):
    """The state that a traced run lies on; it is told what the run does."""

    def looked_at(self, address: Address) -> None: ...

    def looked_at_slot(self, key: Slot) -> None: ...

    def hashed(self, preimage: bytes, digest: Hash32) -> None: ...


class TracedAccountDB(AccountDB):
    """Tells its view also what a run looks at without depending on it."""

    def __init__(self, view: TracedView, warm: Iterable[Address] = ()) -> None:
        super().__init__(view, warm)
        self.traced = view

    def transfer(self, sender: Address, recipient: Address, amount: int) -> None:
        """Names who is paid even if it is nothing: the beneficiary of a self-destruct without balance."""
        self.traced.looked_at(recipient)
        super().transfer(sender, recipient, amount)

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """Names slots of accounts that the transaction creates, which are empty without asking."""
        self.traced.looked_at_slot((address, slot))
        return super().get_storage(address, slot, from_journal)


def _traced(rules: type[AccountDB]) -> type[AccountDB]:
    """The accounts under the rules of a fork, and tracing."""
    return type(f"Traced{rules.__name__}", (TracedAccountDB, rules), {})


def traced_keccak(frame: "Computation") -> None:
    start, size = frame.stack[-1], frame.stack[-2]
    keccak(frame)
    if size <= MAX_PREIMAGE_BYTES:
        db = frame.state.db
        assert isinstance(db, TracedAccountDB)
        db.traced.hashed(bytes(frame.memory[start : start + size]), Hash32(frame.stack[-1].to_bytes(32, "big")))


class TracingEngine:
    """One fork's rules, as execution.engine.Engine has them, over a view that is told."""

    def __init__(self, fork: Fork, evm: str = COMPILED) -> None:
        rules = rules_of(fork)
        instructions = _with_traced_keccak(rules.programs.instruction_set)
        compilation = Compilation(BlockCompiler(instructions)) if evm == COMPILED else None
        members = {"programs": ProgramCache(instructions, compilation), "account_db": _traced(rules.account_db)}
        self._rules: type[Computation] = type(rules.__name__, (rules,), members)

    def execute(
        self,
        transaction: Transaction,
        sender: Address,
        environment: BlockEnvironment,
        view: TracedView,
        deadline: float,
    ) -> Outcome:
        """Runs one transaction. Raises a subclass of CannotInclude, and CallTimeout past the deadline, which is a value
        of time.monotonic()."""
        return Executor(self._rules, environment, view, deadline=deadline).execute(transaction, sender)

    def block_start(
        self, environment: BlockEnvironment, parent_beacon_root: Hash32, view: TracedView
    ) -> tuple[Writes, Slot | None]:
        """As execution.engine.Engine."""
        return system_calls.block_start(self._rules, environment, parent_beacon_root, view)

    def block_end(
        self, environment: BlockEnvironment, logs: Sequence[Log], view: TracedView
    ) -> tuple[Writes, Hash32 | None]:
        """As execution.engine.Engine."""
        return system_calls.block_end(self._rules, environment, logs, view)


def _with_traced_keccak(instructions: InstructionSet) -> InstructionSet:
    usual = instructions[OP_KECCAK]
    traced = Instruction(usual.gas, usual.pops, usual.pushes, (ON_FRAME, traced_keccak), usual.observes_gas)
    return {**instructions, OP_KECCAK: traced}
