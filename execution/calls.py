"""eth_call and eth_estimateGas, with geth's semantics and words."""

from dataclasses import replace
from functools import lru_cache

from chain.intrinsic_gas import TX_GAS, max_gas
from chain.messages.calls import CallMessage, CallOutcome
from chain.messages.execution import BlockEnvironment
from chain.types import Gas, Wei
from execution.errors import CannotInclude, FloorGasTooLow, IntrinsicGasTooLow
from execution.evm.computation import Computation
from execution.evm.executor import Executor, Result
from execution.evm.failures import OUT_OF_GAS, words
from execution.outcome import StateView

CALL_STIPEND_GAS = 2_300
ESTIMATE_ERROR_RATIO = 0.015
"""How far above the least gas limit an estimate may be, as in geth: wallets add a fifth anyway."""


def environment_for(call: CallMessage, environment: BlockEnvironment) -> BlockEnvironment:
    """The block as the call sees it: of what is free the price is 0."""
    if not call.max_fee:
        environment = _without_base_fee(environment)
    if call.blob_hashes and not call.max_blob_fee:
        environment = replace(environment, blob_base_fee=Wei(0))
    return environment


@lru_cache(maxsize=16)  # to copy it costs a sixth of a small call, and most calls are on one block
def _without_base_fee(environment: BlockEnvironment) -> BlockEnvironment:
    return replace(environment, base_fee=Wei(0))


def _run(
    computation: type[Computation],
    call: CallMessage,
    environment: BlockEnvironment,
    view: StateView,
    deadline: float | None,
) -> Result:
    """Raises CannotInclude for what would keep the call from starting."""
    return Executor(computation, environment_for(call, environment), view, deadline=deadline).run(call, call.sender)


def call(
    computation: type[Computation],
    call: CallMessage,
    environment: BlockEnvironment,
    view: StateView,
    deadline: float | None,
) -> CallOutcome:
    """Runs a message on the view. Neither its nonce nor its sender's code is looked at."""
    try:
        result = _run(computation, call, environment, view, deadline)
    except CannotInclude as refusal:
        return CallOutcome(b"", f"err: {refusal} (supplied gas {call.gas})", Gas(0))
    frame = result.frame
    return CallOutcome(frame.output, words(frame.error), result.gas_used, frame.state.console)


def estimate(
    computation: type[Computation],
    call: CallMessage,
    environment: BlockEnvironment,
    view: StateView,
    deadline: float | None,
) -> CallOutcome:
    """The least gas limit with which the message succeeds: geth's bisection, with its shortcuts."""
    return _Estimation(computation, call, environment, view, deadline).run()


class _Estimation:
    """One search, between a limit known to fail and one known to do."""

    def __init__(
        self,
        computation: type[Computation],
        call: CallMessage,
        environment: BlockEnvironment,
        view: StateView,
        deadline: float | None,
    ) -> None:
        self._computation = computation
        self._call = call
        self._environment = environment
        self._view = view
        self._deadline = deadline

    def _try(self, gas: int) -> Result | None:
        """The run with this gas limit; None if it is below what is charged before the first instruction."""
        try:
            call = self._call._replace(gas=Gas(gas))
            return _run(self._computation, call, self._environment, self._view, self._deadline)
        except (IntrinsicGasTooLow, FloorGasTooLow):
            return None

    def _succeeds(self, gas: int) -> bool:
        result = self._try(gas)
        return result is not None and result.frame.error is None

    def _allowance(self) -> int | None:
        """The highest limit to try: the caller's or the block's, as far as the sender can pay for it.

        None if it has not even the value.
        """
        call = self._call
        highest = int(call.gas) if call.gas >= TX_GAS else int(self._environment.gas_limit)
        limit = max_gas(self._environment.fork)
        if limit is not None:
            highest = min(highest, limit)
        if call.max_fee:
            balance = self._view.account(call.sender).balance
            if call.value and call.value >= balance:
                return None
            highest = min(highest, (balance - call.value) // call.max_fee)
        return highest

    def _is_plain_transfer(self) -> bool:
        call = self._call
        return (
            not call.data
            and call.to is not None
            and not Executor(self._computation, self._environment, self._view).db.get_code(call.to)
        )

    def run(self) -> CallOutcome:
        high = self._allowance()
        if high is None:
            return CallOutcome(b"", "insufficient funds for transfer", Gas(0))
        try:
            if self._is_plain_transfer() and self._succeeds(TX_GAS):
                return CallOutcome(b"", "", Gas(TX_GAS))
            result = self._try(high)
        except CannotInclude as refusal:
            return CallOutcome(b"", f"failed with {high} gas: {refusal}", Gas(0))
        if result is None:
            return CallOutcome(b"", f"gas required exceeds allowance ({high})", Gas(0))
        if result.frame.error is not None:
            error, console = words(result.frame.error), result.frame.state.console
            if error == OUT_OF_GAS:
                return CallOutcome(b"", f"gas required exceeds allowance ({high})", Gas(0), console)
            return CallOutcome(result.frame.output, error, Gas(0), console)
        return CallOutcome(b"", "", self._bisect(result, high))

    def _bisect(self, result: Result, high: int) -> Gas:
        low = result.gas_used - 1
        likely = (result.peak_gas + CALL_STIPEND_GAS) * 64 // 63
        if likely < high:
            if self._succeeds(likely):
                high = likely
            else:
                low = likely
        while low + 1 < high and (high - low) / high >= ESTIMATE_ERROR_RATIO:
            # Most transactions need little more than they use, so the search leans to the low side.
            middle = min((low + high) // 2, low * 2)
            if self._succeeds(middle):
                high = middle
            else:
                low = middle
        return Gas(high)
