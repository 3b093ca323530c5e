"""What runs call console.log's address with, and that a block has it once, by the runs that counted."""

from dataclasses import replace
from pathlib import Path

import pytest

from chain.console_log import CONSOLE_ADDRESS, MAX_CONSOLE_BYTES, NO_CONSOLE_LOGS, ConsoleLogs, console_text
from chain.forks import Fork
from chain.types import Address, Gas
from execution.engine import EVMS, Engine
from execution.outcome import Outcome
from execution.strategies import RULES
from execution.task_messages import pack_outcome, unpack_outcome
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, assemble, environment, state
from tests.execution.engine.small_world import transaction as small_transaction
from tests.execution.engine.test_calls import message
from tests.execution.world import ADDRESSES, KEYS, Chain, contract, funded, genesis, transaction

CONSOLE = f"0x{CONSOLE_ADDRESS.hex()}"
LOG_NUMBER = "0xf82c50f1 224 SHL 0 MSTORE 4 MSTORE"
"""log(uint256) of what is on the stack, in memory."""
SAY = f"0 0 36 0 {CONSOLE} GAS STATICCALL"
COUNT_AND_SAY = f"0 SLOAD 1 ADD DUP1 0 SSTORE {LOG_NUMBER} {SAY}"
TALKER = Address(b"\xd1" * 20)


def run(program: str, evm: str = EVMS[0], gas: int = 200_000) -> Outcome:
    """Alice's transaction to a contract with this program."""
    sent = small_transaction(CONTRACT, gas=Gas(gas))
    return Engine(Fork.PRAGUE, evm).execute(sent, ALICE, environment(), state((CONTRACT, program)))


def texts(logs: ConsoleLogs) -> list[str]:
    return [console_text(said) for said in logs.messages]


@pytest.mark.parametrize("evm", EVMS)
@pytest.mark.parametrize("call", ["STATICCALL", "CALL", "DELEGATECALL", "CALLCODE"])
def test_a_call_of_the_console_succeeds_returns_nothing_and_is_kept(call: str, evm: str) -> None:
    value = "0 " if call in ("CALL", "CALLCODE") else ""
    outcome = run(f"7 {LOG_NUMBER} 0 0 36 0 {value}{CONSOLE} GAS {call} RETURNDATASIZE 1 SSTORE 0 SSTORE", evm)
    assert texts(outcome.console) == ["7"]
    assert outcome.writes.slots == {(CONTRACT, 0): 1}
    assert outcome.logs == ()


def test_its_gas_is_that_of_any_account_where_nothing_is() -> None:
    twice = f"9 {LOG_NUMBER} {SAY} POP {SAY}"
    assert run(twice).gas_used == run(twice.replace(CONSOLE, f"0x{OTHER.hex()}")).gas_used
    assert run(twice).gas_used - run(f"9 {LOG_NUMBER} {SAY}").gas_used == 100 + 19, (
        "warm (EIP-2929), and what is pushed"
    )


@pytest.mark.parametrize("ending", ["0 0 REVERT", "INVALID"])
def test_what_fails_has_logged_all_the_same(ending: str) -> None:
    outcome = run(f"5 {LOG_NUMBER} {SAY} {ending}")
    assert not outcome.succeeded
    assert texts(outcome.console) == ["5"]


def test_a_contract_put_at_the_address_runs_and_logs_nothing() -> None:
    world = state((CONTRACT, f"5 {LOG_NUMBER} {SAY} 0 SSTORE"), (CONSOLE_ADDRESS, "STOP"))
    outcome = Engine(Fork.PRAGUE).execute(small_transaction(CONTRACT), ALICE, environment(), world)
    assert outcome.console == NO_CONSOLE_LOGS


def test_what_a_loop_logs_is_bounded_in_bytes() -> None:
    outcome = run(f"JUMPDEST 0 0 4096 0 {CONSOLE} GAS STATICCALL POP 5000 GAS GT 0 JUMPI", gas=100_000)
    assert outcome.succeeded
    assert len(outcome.console.messages) * 4096 == MAX_CONSOLE_BYTES
    assert outcome.console.omitted > 100


def test_an_outcome_travels_with_what_was_logged() -> None:
    outcome = replace(run(f"5 {LOG_NUMBER} {SAY}"), output=b"")
    assert unpack_outcome(pack_outcome(outcome)) == outcome
    silent = replace(run("STOP"), output=b"")
    assert unpack_outcome(pack_outcome(silent)) == silent


def test_a_call_tells_what_it_logged_and_an_estimate_only_why_it_failed() -> None:
    engine = Engine(Fork.PRAGUE)
    talks, fails = (state((CONTRACT, f"5 {LOG_NUMBER} {SAY} {ending}")) for ending in ("STOP", "0 0 REVERT"))
    assert texts(engine.call(message(), environment(), talks, deadline=None).console) == ["5"]
    assert texts(engine.call(message(), environment(), fails, deadline=None).console) == ["5"]
    assert engine.estimate(message(), environment(), talks, deadline=None).console == NO_CONSOLE_LOGS
    assert texts(engine.estimate(message(), environment(), fails, deadline=None).console) == ["5"]


@pytest.mark.parametrize("strategy", RULES)
async def test_a_block_has_each_message_once_in_its_order_however_often_transactions_ran(
    strategy: str, tmp_path: Path
) -> None:
    accounts = [*funded(ADDRESSES[:8]), contract(TALKER, assemble(COUNT_AND_SAY))]
    chain = Chain(genesis(accounts), strategy, 2, tmp_path)
    runs = 0
    for nonce in range(2):
        sent = [transaction(key, nonce, to=TALKER, gas=Gas(80_000)) for key in KEYS[:8]]
        block = await chain.run(sent)
        runs += sum(len(record.attempts) for record in block.record.transactions)
        said = [(hash_, texts(logs)) for hash_, logs in block.console]
        assert said == [(one.hash, [str(8 * nonce + at)]) for at, one in enumerate(sent, 1)]
    assert runs > 16 or strategy != "optimistic", "some ran twice"
    await chain.stop()
