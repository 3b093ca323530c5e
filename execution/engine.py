"""py-evm's rules over a state view: what runs the bytecode of one transaction.

An Engine keeps no state between calls but decoded bytecode, so a process makes one and uses it for every transaction,
call and block.
"""

from collections.abc import Sequence

from chain.forks import Fork
from chain.messages.calls import AccountOverride, CallMessage, CallOutcome
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.transactions import Transaction
from chain.types import Address, Hash32
from execution import calls, system_calls
from execution.evm.computation import CancunComputation, Computation, OsakaComputation, with_precompiles, with_programs
from execution.evm.executor import Executor
from execution.evm.program import ProgramCache
from execution.outcome import Outcome, Slot, StateView, Writes
from execution.overrides import OverridableView, apply_overrides

COMPILED, INTERPRETER = EVMS = ("compiled", "interpreter")
"""How bytecode runs: hot blocks compiled to Python functions, or every instruction interpreted. The same in effect."""

_COMPUTATIONS: dict[Fork, type[Computation]] = {
    Fork.CANCUN: CancunComputation,
    Fork.PRAGUE: Computation,
    Fork.OSAKA: OsakaComputation,
    Fork.BPO1: OsakaComputation,
    Fork.BPO2: OsakaComputation,
}


def rules_of(fork: Fork) -> type[Computation]:
    """The frames of a fork."""
    if fork in _COMPUTATIONS:
        return _COMPUTATIONS[fork]
    from execution.evm.earlier_forks import COMPUTATIONS  # no process of a chain needs them

    return COMPUTATIONS[fork]


class Engine:
    """One fork's rules; `evm` is one of EVMS."""

    def __init__(self, fork: Fork, evm: str = COMPILED) -> None:
        self.fork = fork
        self._evm = evm
        self._computation = rules_of(fork)
        if evm == INTERPRETER:
            self.use(ProgramCache(self._computation.programs.instruction_set))

    def use(self, programs: ProgramCache) -> None:
        """Keep decoded bytecode there."""
        self._computation = with_programs(self._computation, programs)

    def of_fork(self, fork: Fork) -> "Engine":
        """An engine of another fork, whose bytecode runs in the same way."""
        return self if fork == self.fork else Engine(fork, self._evm)

    @property
    def rules(self) -> type[Computation]:
        """The fork's frames."""
        return self._computation

    def overridden(self, overrides: Sequence[AccountOverride], view: OverridableView) -> "Engine":
        """The same rules with precompiles where the overrides put them; the rest of them is merged into the view.

        Raises OverrideRefused.
        """
        moved = Engine.__new__(Engine)
        moved.fork, moved._evm = self.fork, self._evm
        moved._computation = with_precompiles(
            self._computation, apply_overrides(overrides, self._computation.precompiled, view)
        )
        return moved

    def execute(
        self, transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
    ) -> Outcome:
        """Runs one transaction. Raises a subclass of CannotInclude; ParentHashPending passes through.

        Whether the block has gas left for it is for the caller to know.
        """
        return Executor(self._computation, environment, view).execute(transaction, sender)

    def block_start(
        self, environment: BlockEnvironment, parent_beacon_root: Hash32, view: StateView
    ) -> tuple[Writes, Slot | None]:
        """What a block changes before its first transaction, and the slot that its parent's hash goes to.

        Storage fills in that slot's value, which is not known here. None if there is no contract to keep it.
        """
        return system_calls.block_start(self._computation, environment, parent_beacon_root, view)

    def block_end(
        self, environment: BlockEnvironment, logs: Sequence[Log], view: StateView
    ) -> tuple[Writes, Hash32 | None]:
        """What a block changes after its last transaction, and its requests hash (None before Prague).

        `logs` are those of the whole block. Raises SystemContractFailed and InvalidDepositLog.
        """
        return system_calls.block_end(self._computation, environment, logs, view)

    def call(
        self, call: CallMessage, environment: BlockEnvironment, view: StateView, *, deadline: float | None
    ) -> CallOutcome:
        """eth_call: runs a message and throws its changes away.

        `deadline` is a time.monotonic() value; past it, CallTimeout is raised.
        """
        return calls.call(self._computation, call, environment, view, deadline)

    def estimate(
        self, call: CallMessage, environment: BlockEnvironment, view: StateView, *, deadline: float | None
    ) -> CallOutcome:
        """eth_estimateGas: the least gas limit with which a message succeeds, as `gas`, up to `call.gas`."""
        return calls.estimate(self._computation, call, environment, view, deadline)
