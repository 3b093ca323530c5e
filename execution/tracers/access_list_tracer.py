"""What a run touches that an access list can name (geth's eth/tracers/logger/access_list_tracer.go)."""

import orjson

from chain.signing import InvalidSignature
from chain.types import Address
from execution.evm.call_instructions import contract_address
from execution.evm.stepping import CALLS, Step
from execution.outcome import Outcome, StateView
from execution.tracers.prestate_tracer import LOOKING_AT_ACCOUNT, OP_SLOAD, OP_SSTORE
from execution.tracers.tracer import Options, Run, Tracer


class AccessListTracer(Tracer):
    """Sender, recipient, precompiles and authorities are warm anyway, so that they are named for their slots only."""

    wants_steps = True
    wants_stack = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._warm: frozenset[Address] = frozenset()
        self._slots: dict[Address, set[int]] = {}
        self._ending: dict[str, str] = {}

    def began(self, run: Run) -> None:
        to = run.transaction.to or contract_address(run.sender, run.view.account(run.sender).nonce)
        authorities = set()
        for authorization in run.transaction.authorizations:
            try:
                authorities.add(authorization.authority())
            except InvalidSignature:
                continue
        self._warm = run.precompiles | authorities | {run.sender, to}
        for entry in run.transaction.access_list:
            if entry.address not in self._warm or entry.slots:
                self._slots.setdefault(entry.address, set()).update(entry.slots)

    def step(self, step: Step) -> None:
        if len(step.stack) >= 1 and step.opcode in (OP_SLOAD, OP_SSTORE):
            self._slots.setdefault(step.address, set()).add(step.operand(0))
        elif len(step.stack) >= 1 and step.opcode in LOOKING_AT_ACCOUNT:
            self._name(step.named_address(0))
        elif len(step.stack) >= 5 and step.opcode in CALLS:
            self._name(step.named_address(1))

    def ended(self, outcome: Outcome, after: StateView) -> None:
        self._ending = {"gasUsed": hex(outcome.gas_used)} | ({"error": outcome.error} if outcome.error else {})

    def result(self) -> bytes:
        listed = [
            {"address": "0x" + address.hex(), "storageKeys": [f"0x{slot:064x}" for slot in sorted(slots)]}
            for address, slots in sorted(self._slots.items())
        ]
        return orjson.dumps({"accessList": listed} | self._ending)

    def _name(self, address: Address) -> None:
        if address not in self._warm:
            self._slots.setdefault(address, set())
