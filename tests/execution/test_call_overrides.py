"""State overrides: what a call pretends is there for this call, and only for this one."""

from dataclasses import replace
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.messages.calls import AccountOverride, CallMessage, CallOutcome, RunCall
from chain.types import Address, Gas, Version, Wei
from execution.call_views import CallViews
from execution.call_worker import CallRunner
from tests.execution.engine.small_world import assemble
from tests.execution.memory_storage import BlockingStorage, MemoryStorage
from tests.execution.test_equivalence import TOKEN, balance_slot, call, world_genesis
from tests.execution.test_workers import ENVIRONMENT
from tests.execution.world import ADDRESSES, ENGINE

WHO = Address(b"\x99" * 20)
HASHER = Address(bytes(19) + b"\x02")
"""SHA-256."""
MANY = (2**255).to_bytes(32, "big")


@pytest.fixture
def runner() -> CallRunner:
    return CallRunner(lambda _: ENGINE, CallViews(BlockingStorage(MemoryStorage(world_genesis()))))


def asking(to: Address, data: bytes = b"", **changes: Any) -> CallMessage:
    message = CallMessage(ADDRESSES[0], to, Gas(100_000), Wei(0), Wei(0), Wei(0), data, (), ())
    return message._replace(**changes)


def run(runner: CallRunner, message: CallMessage, *overrides: AccountOverride) -> CallOutcome:
    return runner.run(RunCall(1, Version(1), ENVIRONMENT, message, False, 1000, overrides))


def test_balance_nonce_and_code_are_as_pretended(runner: CallRunner) -> None:
    shows = assemble("SELFBALANCE 0 MSTORE 0 0 0 CREATE 32 MSTORE 64 0 RETURN")
    first = run(runner, asking(WHO), AccountOverride(WHO, nonce=7, balance=Wei(5), code=shows))
    other = run(runner, asking(WHO), AccountOverride(WHO, nonce=8, balance=Wei(5), code=shows))
    assert (first.error, int.from_bytes(first.output[:32], "big")) == ("", 5)
    assert first.output[32:] != other.output[32:], "the nonce decides where a contract is created"
    assert run(runner, asking(WHO)).output == b"", "it is forgotten afterwards"


def test_a_state_diff_changes_slots_and_a_whole_state_is_all_there_is(runner: CallRunner) -> None:
    rich, other = ADDRESSES[0], ADDRESSES[1]
    asked = [asking(TOKEN, call("balanceOf(address)", who)) for who in (rich, other)]
    pretended = {balance_slot(rich): 2**255}
    before = run(runner, asked[1]).output
    part = AccountOverride(TOKEN, slots=pretended)
    assert [run(runner, message, part).output for message in asked] == [MANY, before]
    whole = replace(part, replaces_storage=True)
    assert [run(runner, message, whole).output for message in asked] == [MANY, bytes(32)]


def test_money_that_is_pretended_can_be_sent(runner: CallRunner) -> None:
    message = asking(ADDRESSES[1], sender=WHO, value=Wei(10))
    assert "insufficient funds" in run(runner, message).error
    assert run(runner, message, AccountOverride(WHO, balance=Wei(10))).error == ""


def test_pretended_money_grows_to_what_a_word_holds(runner: CallRunner) -> None:
    shows = assemble("SELFBALANCE 0 MSTORE 32 0 RETURN")
    rich = AccountOverride(ADDRESSES[1], balance=Wei(2**256 - 1))
    message = asking(WHO, sender=ADDRESSES[1], value=Wei(2**256 - 1))
    answer = run(runner, message, rich, AccountOverride(WHO, balance=Wei(1), code=shows))
    assert (answer.error, answer.output) == ("", b"\xff" * 32)


def test_a_precompile_can_be_moved_and_replaced(runner: CallRunner) -> None:
    digest = run(runner, asking(HASHER, b"abc")).output
    assert run(runner, asking(WHO, b"abc"), AccountOverride(HASHER, precompile_moves_to=WHO)).output == digest
    answer = AccountOverride(HASHER, code=assemble("7 0 MSTORE 32 0 RETURN"), precompile_moves_to=WHO)
    assert run(runner, asking(HASHER, b"abc"), answer).output == (7).to_bytes(32, "big")
    assert run(runner, asking(HASHER, b"abc"), AccountOverride(HASHER, code=b"")).output == b""
    assert run(runner, asking(HASHER, b"abc")).output == digest


def test_a_move_that_cannot_be_is_refused_in_geths_words(runner: CallRunner) -> None:
    ordinary = AccountOverride(WHO, precompile_moves_to=TOKEN)
    assert run(runner, asking(WHO), ordinary).error == f"account {checksummed(WHO)} is not a precompile"
    taken = (AccountOverride(HASHER, precompile_moves_to=WHO), AccountOverride(WHO, nonce=1))
    assert run(runner, asking(WHO), *taken).error == f"account {checksummed(WHO)} is already overridden"
