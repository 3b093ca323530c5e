"""A trace that geth keeps for its own tests (eth/tracers/internal/tracetest), run by our tracers."""

import json
from dataclasses import dataclass
from typing import Any

from chain.forks import Fork
from chain.messages.execution import BlockEnvironment
from chain.transactions import Transaction, decode_transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.engine import Engine
from execution.evm.executor import Executor
from execution.evm.stepping import stepping
from execution.tracers import tracer_named
from execution.tracers.tracer import Place, Run
from node.conformance.memory_state import MemoryState

BLOCK_FORKS = {
    "homesteadblock": Fork.HOMESTEAD,
    "eip150block": Fork.TANGERINE_WHISTLE,
    "eip158block": Fork.SPURIOUS_DRAGON,
    "byzantiumblock": Fork.BYZANTIUM,
    "constantinopleblock": Fork.CONSTANTINOPLE,
    "petersburgblock": Fork.PETERSBURG,
    "istanbulblock": Fork.ISTANBUL,
    "berlinblock": Fork.BERLIN,
    "londonblock": Fork.LONDON,
}
TIME_FORKS = {
    "shanghaitime": Fork.SHANGHAI,
    "cancuntime": Fork.CANCUN,
    "praguetime": Fork.PRAGUE,
    "osakatime": Fork.OSAKA,
}


def number(value: Any) -> int:
    return value if isinstance(value, int) else int(value or "0", 0)


def data(value: str | None) -> bytes:
    return bytes.fromhex((value or "0x")[2:])


@dataclass(frozen=True, slots=True)
class GethCase:
    """One file: what was before, the transaction, and what geth says of it."""

    fields: dict[str, Any]

    @property
    def fork(self) -> Fork:
        config = {name.lower(): at for name, at in self.fields["genesis"]["config"].items()}
        context = self.fields["context"]
        at = number(context["number"])
        forks = [fork for name, fork in BLOCK_FORKS.items() if name in config and at >= config[name]]
        if not number(context.get("difficulty")) and config.get("terminaltotaldifficulty") is not None:
            forks.append(Fork.PARIS)
            time = number(context["timestamp"])
            forks += [fork for name, fork in TIME_FORKS.items() if name in config and time >= config[name]]
        return max(forks, default=Fork.FRONTIER)

    @property
    def environment(self) -> BlockEnvironment:
        context = self.fields["context"]
        return BlockEnvironment(
            chain_id=self.fields["genesis"]["config"]["chainId"],
            fork=self.fork,
            number=BlockNumber(number(context["number"])),
            timestamp=number(context["timestamp"]),
            beneficiary=Address(data(context["miner"])),
            prev_randao=Hash32(number(context.get("difficulty")).to_bytes(32, "big")),
            gas_limit=Gas(number(context["gasLimit"])),
            base_fee=Wei(number(context.get("baseFeePerGas"))),
            excess_blob_gas=Gas(0),
        )

    def state(self) -> MemoryState:
        return genesis_state(self.fields["genesis"]["alloc"], self.fork)

    def traced(self, name: str) -> Any:
        """What our tracer of that name says."""
        transaction = decode_transaction(data(self.fields["input"]))
        return traced(self.state(), transaction, self.environment, name, self.fields.get("tracerConfig") or {})


def trace_text(
    world: MemoryState,
    transaction: Transaction,
    environment: BlockEnvironment,
    name: str,
    options: dict[str, Any],
    sender: Address | None = None,
    deadline: float | None = None,
    place: Place | None = None,
) -> bytes:
    """What our tracer says of a transaction, which changes the world."""
    sender = sender or transaction.sender()
    rules = Engine(environment.fork).rules
    tracer = tracer_named(name, options)
    tracer.began(Run(transaction, sender, environment, world, frozenset(rules.precompiled), 0, place))
    executor = Executor(stepping(rules, tracer), environment, world, deadline=deadline)
    outcome = executor.execute(transaction, sender)
    world.apply(outcome.writes)
    account = world.account(environment.beneficiary)
    slots, code = world.slots.get(environment.beneficiary, {}), world.code(account.code_hash)
    world.put(environment.beneficiary, account.nonce, account.balance + outcome.fee, code, slots)
    tracer.ended(outcome, world)
    return tracer.result()


def traced(*arguments: Any, **named: Any) -> Any:
    """What our tracer says, read: `trace_text` has the arguments."""
    return json.loads(trace_text(*arguments, **named))


def genesis_state(accounts: dict[str, Any], fork: Fork) -> MemoryState:
    """The accounts in the `alloc` of a genesis file."""
    world = MemoryState()
    for address, account in accounts.items():
        slots = {int(slot, 16): int(value, 16) for slot, value in (account.get("storage") or {}).items()}
        nonce, balance = number(account.get("nonce")), number(account["balance"])
        world.put(Address(data(address)), nonce, balance, data(account.get("code")), slots, fork)
    return world
