"""Breaking the network over JSON-RPC: what is told to whom, what is kept, and which parameters are refused."""

import asyncio
from typing import Any

import pytest

from chain.messages.faults import Equivocate, SetNetworkFaults
from chain.network_faults import NetworkFaults
from chain.types import ValidatorIndex
from rpc import network_control
from rpc.network_control import NetworkControl
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import FakeChain
from tests.rpc.fake_neighbours import FakeLink
from tests.rpc.small_chain import turns

WHOLE: dict[str, Any] = {"partition": None, "delays": [], "drops": [], "notTold": []}


def told(link: FakeLink) -> list[NetworkFaults]:
    return [message.faults for message in link.asked if isinstance(message, SetNetworkFaults)]


async def test_at_first_the_network_is_whole(client: Client) -> None:
    assert await client.result("tandem_network") == WHOLE


async def test_a_partition_is_told_to_every_validator_before_the_answer(client: Client, chain: FakeChain) -> None:
    shown = await client.result("tandem_partition", [[0, 1], [2, 3]])
    assert shown == {**WHOLE, "partition": {"groups": [[0, 1], [2, 3]], "oneWay": False}}
    for link in chain.validators.values():
        assert told(link)[-1].groups == ((0, 1), (2, 3))


async def test_validators_that_are_not_named_are_one_more_group(client: Client) -> None:
    shown = await client.result("tandem_partition", [["0x2"]], True)
    assert shown["partition"] == {"groups": [[2], [0, 1, 3]], "oneWay": True}


async def test_faults_of_different_kinds_add_up_and_a_zero_ends_one(client: Client) -> None:
    await client.result("tandem_partition", [[3]])
    await client.result("tandem_setDelay", 2, "200ms")
    await client.result("tandem_setDelay", 0, "1.5s")
    shown = await client.result("tandem_setDropRate", 1, "30%")
    assert shown == {
        "partition": {"groups": [[3], [0, 1, 2]], "oneWay": False},
        "delays": [{"validator": 0, "milliseconds": 1500}, {"validator": 2, "milliseconds": 200}],
        "drops": [{"validator": 1, "percent": 30.0}],
        "notTold": [],
    }
    assert (await client.result("tandem_status"))["network"] == shown
    await client.result("tandem_setDelay", 0, "0ms")
    shown = await client.result("tandem_setDropRate", 1, "0%")
    assert shown["delays"] == [{"validator": 2, "milliseconds": 200}]
    assert shown["drops"] == []


async def test_healing_ends_all_of_them(client: Client, chain: FakeChain) -> None:
    await client.result("tandem_partition", [[3]])
    await client.result("tandem_setDelay", 2, "200ms")
    assert await client.result("tandem_heal") == WHOLE
    assert told(chain.validator(0))[-1] == NetworkFaults()


async def test_the_log_says_what_was_broken_on_request(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    await client.result("tandem_partition", [[0, 1]])
    await client.result("tandem_setDelay", 2, "200ms")
    await client.result("tandem_setDropRate", 1, "12.5%")
    await client.result("tandem_partition", [[3]], True)
    await client.result("tandem_heal")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"ON REQUEST the network between the validators: {state}"
        for state in (
            "partition 0,1 / 2,3",
            "partition 0,1 / 2,3; 2 delayed by 200ms",
            "partition 0,1 / 2,3; 2 delayed by 200ms; 1 loses 12.5%",
            "partition 3 > 0,1,2; 2 delayed by 200ms; 1 loses 12.5%",
            "whole",
        )
    ]


async def test_what_is_in_force_outlives_rpc(client: Client, chain: FakeChain) -> None:
    await client.result("tandem_partition", [[3]])
    again = NetworkControl(chain.validators, chain.faults)
    assert again.faults.groups == ((3,), (0, 1, 2))
    assert again.not_told == [0, 1, 2, 3]
    again.validator_joined(ValidatorIndex(1))
    await asyncio.sleep(0)
    assert again.not_told == [0, 2, 3]


async def test_a_validator_that_comes_back_is_told(client: Client, chain: FakeChain, process: RpcProcess) -> None:
    chain.validator(2).connected = False
    shown = await client.result("tandem_setDelay", 1, "50ms")
    assert shown["notTold"] == [2]
    chain.validator(2).connected = True
    process.node.network.validator_joined(ValidatorIndex(2))
    await asyncio.sleep(0)
    assert told(chain.validator(2))[-1].delays_ms == {1: 50}
    assert (await client.result("tandem_network"))["notTold"] == []


async def test_a_validator_that_started_again_is_told_again(
    client: Client, chain: FakeChain, process: RpcProcess
) -> None:
    await client.result("tandem_setDelay", 1, "50ms")
    before = len(told(chain.validator(2)))
    process.node.network.validator_joined(ValidatorIndex(2))
    assert (await client.result("tandem_network"))["notTold"] == [2]
    await turns()
    assert len(told(chain.validator(2))) == before + 1
    assert (await client.result("tandem_network"))["notTold"] == []


async def test_a_validator_that_does_not_answer_holds_nothing_up(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_control, "TELL_TIMEOUT_S", 0.01)
    answer = asyncio.Event()

    class StoppedLink(FakeLink):
        async def request(self, message: Any, timeout_s: float | None = None) -> Any:
            self.asked.append(message)
            await answer.wait()

    stopped = StoppedLink(lambda _: None)
    control = NetworkControl({**chain.validators, ValidatorIndex(2): stopped}, chain.faults)
    for delay_ms in (1, 2, 3):
        await control.change(NetworkFaults(delays_ms={ValidatorIndex(1): delay_ms}))
        assert control.not_told == [2]
    assert len(told(stopped)) == 1, "one request at a time is under way"
    answer.set()
    await turns()
    assert control.not_told == []
    assert [faults.delays_ms[ValidatorIndex(1)] for faults in told(stopped)] == [1, 3], "then the newest"


async def test_faults_that_cannot_be_kept_are_not_in_force(client: Client, chain: FakeChain) -> None:
    chain.faults.full = True
    before = len(told(chain.validator(0)))
    code, message = await client.error("tandem_setDelay", 1, "50ms")
    assert code == -32000
    assert "No space left on device" in message
    assert await client.result("tandem_network") == WHOLE
    assert len(told(chain.validator(0))) == before


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("tandem_partition", [], "missing value for required argument 0"),
        (
            "tandem_partition",
            [[[0], [4]]],
            "invalid argument 0: there is no validator 4: this chain has validators 0 to 3",
        ),
        (
            "tandem_partition",
            [[[0, 1], [1]]],
            "invalid argument 0: validator 1 is named twice: a validator is in one group",
        ),
        ("tandem_partition", [[[0], []]], "invalid argument 0: a group of a partition has at least one validator"),
        (
            "tandem_partition",
            [[[0, 1, 2, 3]]],
            "invalid argument 0: a partition needs two groups: name those who are cut off from the rest",
        ),
        (
            "tandem_partition",
            [[[0], [1]], True],
            "invalid argument 0: a one-way partition has two groups: the first is not heard by the second",
        ),
        ("tandem_partition", [[0]], "invalid argument 0: a group is a list of validators"),
        (
            "tandem_partition",
            ["0"],
            "invalid argument 0: give a list of groups, each a list of validators",
        ),
        ("tandem_partition", [[["a"]]], 'invalid argument 0: invalid hex or decimal integer "a"'),
        ("tandem_setDelay", [9, "1s"], "invalid argument 0: there is no validator 9: this chain has validators 0 to 3"),
        ("tandem_setDelay", [-1, "1s"], 'invalid argument 0: invalid hex or decimal integer "-1"'),
        (
            "tandem_setDelay",
            [1, "200"],
            'invalid argument 1: invalid duration "200": give a number with ms or s, such as 200ms or 1.5s',
        ),
        (
            "tandem_setDelay",
            [1, 200],
            'invalid argument 1: invalid duration "200": give a number with ms or s, such as 200ms or 1.5s',
        ),
        ("tandem_setDelay", [1, "61s"], 'invalid argument 1: duration "61s" is too long: the longest is 60s'),
        (
            "tandem_setDropRate",
            [4, "1%"],
            "invalid argument 0: there is no validator 4: this chain has validators 0 to 3",
        ),
        (
            "tandem_setDropRate",
            [1, "101%"],
            'invalid argument 1: percentage "101%" is out of range: give 0% to 100%',
        ),
        (
            "tandem_setDropRate",
            [1, "-1%"],
            'invalid argument 1: invalid percentage "-1%": give a number with %, such as 30%',
        ),
    ],
)
async def test_wrong_parameters_are_explained(client: Client, method: str, params: list[Any], message: str) -> None:
    assert await client.error(method, *params) == (-32602, message)
    assert await client.result("tandem_network") == WHOLE


async def test_validators_are_controlled_through_whoever_runs_the_processes(client: Client) -> None:
    assert await client.result("tandem_killValidator", 2) == {"validator": 2, "state": "killed"}
    assert await client.result("tandem_pauseValidator", "0x1") == {"validator": 1, "state": "paused"}
    assert await client.result("tandem_restartValidator", 2) == {"validator": 2, "state": "starting"}
    shown = (await client.result("tandem_status"))["validators"]
    assert [row["state"] for row in shown] == ["running", "paused", "starting", "running"]
    assert await client.error("tandem_resumeValidator", 3) == (-32000, "validator-3 is running, not paused")
    unknown = "invalid argument 0: there is no validator 4: this chain has validators 0 to 3"
    assert await client.error("tandem_killValidator", 4) == (-32602, unknown)


async def test_a_validator_is_told_to_equivocate(client: Client, chain: FakeChain) -> None:
    assert await client.result("tandem_equivocate", 2) == {"validator": 2, "equivocatingTurns": 1}
    assert await client.result("tandem_equivocate", 2, 3) == {"validator": 2, "equivocatingTurns": 3}
    assert [m.turns for m in chain.validator(2).asked if isinstance(m, Equivocate)] == [1, 3]


async def test_a_validator_that_can_say_nothing_is_not_told_to_equivocate(client: Client, chain: FakeChain) -> None:
    await client.result("tandem_pauseValidator", 2)
    assert await client.error("tandem_equivocate", 2) == (-32000, "validator-2 is paused: it can say nothing")
    chain.validator(1).connected = False
    refusal = "validator-1 does not answer: it may be starting"
    assert await client.error("tandem_equivocate", 1) == (-32000, refusal)
    refusal = "invalid argument 1: 0 turns are out of range: give 1 to 1000"
    assert await client.error("tandem_equivocate", 1, 0) == (-32602, refusal)
