"""eth_simulateV1 in a reader: what it refuses, and what calls leave to those after them.

That whole blocks come out as geth makes them is shown by the official exchanges (tests/conformance).
"""

from dataclasses import replace
from typing import Any

import pytest

from chain.forks import Fork
from chain.headers import Header
from chain.keccak import keccak256
from chain.messages.calls import AccountOverride, CallMessage
from chain.messages.execution import BlockEnvironment
from chain.messages.simulation import BlockToSimulate, RunSimulation, Simulated, SimulatedCall, SimulationFailed
from chain.transactions import DYNAMIC_FEE
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Version, Wei
from execution.simulation import simulate
from execution.transfer_logs import ETHER, TRANSFER_TOPIC
from tests.execution.engine.small_world import assemble
from tests.execution.memory_storage import BlockingStorage, MemoryStorage
from tests.execution.test_equivalence import world_genesis
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ENGINE

GAS_LIMIT = Gas(30_000_000)
WHO, CONTRACT = Address(b"\x99" * 20), Address(b"\x98" * 20)


def block(*calls: SimulatedCall, number: int = 1, overrides: tuple[AccountOverride, ...] = ()) -> BlockToSimulate:
    environment = BlockEnvironment(
        chain_id=CHAIN_ID,
        fork=Fork.PRAGUE,
        number=BlockNumber(number),
        timestamp=1_700_000_000 + 12 * number,
        beneficiary=BENEFICIARY,
        prev_randao=ZERO_HASH,
        gas_limit=GAS_LIMIT,
        base_fee=Wei(0),
        excess_blob_gas=Gas(0),
    )
    return BlockToSimulate(environment, None, ZERO_HASH, (), overrides, calls)


def call(to: Address = WHO, **changes: Any) -> SimulatedCall:
    gas, nonce = changes.pop("gas", None), changes.pop("nonce", None)
    message = CallMessage(ADDRESSES[0], to, Gas(0), Wei(0), Wei(0), Wei(0), b"", (), ())
    return SimulatedCall(DYNAMIC_FEE, message._replace(**changes), gas, nonce)


def run(*blocks: BlockToSimulate, **changes: Any) -> Simulated | SimulationFailed:
    genesis = world_genesis()
    given: dict[str, Any] = {"traces_transfers": False, "validates": False, "gas_cap": Gas(50_000_000)} | changes
    task = RunSimulation(1, Version(1), genesis.header, blocks, time_limit_ms=5_000, **given)
    return simulate(task, ENGINE, BlockingStorage(MemoryStorage(genesis)))


def made(*blocks: BlockToSimulate, **changes: Any) -> Simulated:
    answer = run(*blocks, **changes)
    assert isinstance(answer, Simulated), answer
    return answer


def test_blocks_follow_each_other_and_calls_see_those_before_them() -> None:
    shows = AccountOverride(
        CONTRACT, code=assemble("1 NUMBER SUB BLOCKHASH 0 MSTORE SELFBALANCE 32 MSTORE 64 0 RETURN")
    )
    first = block(call(CONTRACT, value=Wei(7)), overrides=(shows,))
    second = block(call(CONTRACT, value=Wei(1)), number=2)
    one, two = made(first, second).blocks
    parent: Header = world_genesis().header
    assert one.header.parent_hash == parent.hash()
    assert two.header.parent_hash == one.header.hash()
    (seen,) = two.calls
    assert seen.output == one.header.hash() + (8).to_bytes(32, "big")
    assert (two.header.gas_used, two.header.base_fee) == (seen.gas_used, 0)


@pytest.mark.parametrize(
    ("given", "validates", "code", "words"),
    [
        (call(nonce=5, max_fee=Wei(10**12)), True, -38_011, "nonce too high"),
        (call(), True, -38_012, "max fee per gas less than block base fee"),
        (call(gas=Gas(100)), False, -38_013, "intrinsic gas too low: have 100, want 21000 (supplied gas 100)"),
        (call(sender=WHO, value=Wei(1)), False, -38_014, "insufficient funds for gas * price + value"),
        (call(gas=Gas(GAS_LIMIT + 1)), False, -38_015, "block gas limit reached: remaining: 30000000"),
        (call(max_priority_fee=Wei(2), max_fee=Wei(1)), False, -32_602, "max priority fee per gas higher"),
    ],
)
def test_a_call_that_a_block_cannot_have_is_refused_with_geths_code(
    given: SimulatedCall, validates: bool, code: int, words: str
) -> None:
    answer = run(block(given), validates=validates)
    assert isinstance(answer, SimulationFailed)
    assert answer.code == code
    assert words in answer.reason


def test_changes_are_told_where_they_are_asked_for() -> None:
    paid = block(call(WHO, value=Wei(7)), call(WHO, value=Wei(5)))
    assert made(paid).changes == ()
    told = {change.address: change.account for change in made(paid, tells_changes=True).changes}
    assert (told[WHO].balance, told[ADDRESSES[0]].nonce) == (12, 2)


def test_a_call_that_cannot_be_is_left_out_of_a_block_that_allows_it() -> None:
    calls = (call(nonce=9, max_fee=Wei(10**12)), call(nonce=0, max_fee=Wei(10**12)))
    (one,) = made(replace(block(*calls), leaves_out=True), validates=True).blocks
    assert (len(one.calls), one.left_out) == (1, (0,))


def test_a_call_that_fails_is_in_its_block_with_its_error() -> None:
    reverts = AccountOverride(CONTRACT, code=assemble("0xdead 0 MSTORE 32 0 REVERT"))
    ((done,),) = [each.calls for each in made(block(call(CONTRACT), overrides=(reverts,))).blocks]
    assert (done.error, done.output[-2:], done.logs) == ("execution reverted", b"\xde\xad", ())


def test_a_call_that_the_gas_cap_makes_fail_says_so() -> None:
    spins = AccountOverride(CONTRACT, code=assemble("JUMPDEST 0 JUMP"))
    answer = made(block(call(CONTRACT), overrides=(spins,)), gas_cap=Gas(100_000))
    (done,) = answer.blocks[0].calls
    assert done.error == "out of gas (gas limit was capped by the RPC server's global gas cap)"
    assert done.gas == 100_000


def test_transfers_are_told_as_logs_and_those_of_failed_calls_keep_their_numbers_to_themselves() -> None:
    failing = AccountOverride(WHO, code=assemble("0 0 LOG0 0 0 REVERT"))
    calls_it = AccountOverride(
        CONTRACT, balance=Wei(5), code=assemble(f"0 0 0 0 1 0x{WHO.hex()} GAS CALL 0 0 LOG0 STOP")
    )
    given = block(call(CONTRACT, value=Wei(3)), overrides=(failing, calls_it))
    (plain,) = made(given).blocks[0].calls
    assert [(index, log.address) for index, log in plain.logs] == [(1, CONTRACT)]
    (told,) = made(given, traces_transfers=True).blocks[0].calls
    assert [(index, log.address) for index, log in told.logs] == [(0, ETHER), (3, CONTRACT)]
    transfer = told.logs[0][1]
    assert transfer.topics == (TRANSFER_TOPIC, bytes(12) + ADDRESSES[0], bytes(12) + CONTRACT)
    assert int.from_bytes(transfer.data, "big") == 3
    assert keccak256(b"Transfer(address,address,uint256)") == TRANSFER_TOPIC
