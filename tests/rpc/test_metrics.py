"""/metrics and /ready, read as Prometheus and an orchestrator read them."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from rpc.metrics import exposition
from rpc.process import RpcProcess
from rpc.request_counts import RequestCounts
from rpc.status import status
from tests.rpc.fake_chain import FakeChain
from tests.rpc.test_server import CHAIN_ID

Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(text: str) -> dict[Sample, float]:
    """Every sample by its name and labels. Refuses what Prometheus would refuse."""
    found: dict[Sample, float] = {}
    for family in prometheus_text(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


async def scraped(http: aiohttp.ClientSession, address: str) -> dict[Sample, float]:
    async with http.get(f"http://{address}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return samples(await answer.text())


async def test_metrics_say_where_the_chain_stands_and_what_each_method_cost(
    http: aiohttp.ClientSession, address: str, chain: FakeChain
) -> None:
    for _ in range(3):
        await (await http.post(f"http://{address}/", json=CHAIN_ID)).read()
    await (await http.post(f"http://{address}/", json=CHAIN_ID | {"params": [1]})).read()
    await (await http.post(f"http://{address}/", json=CHAIN_ID | {"method": "eth_nothing"})).read()
    found = await scraped(http, address)
    assert found["tandem_rpc_requests_total", (("method", "eth_chainId"),)] == 4
    assert found["tandem_rpc_failures_total", (("method", "eth_chainId"),)] == 1
    assert found["tandem_rpc_failures_total", (("method", "unknown method"),)] == 1
    assert 0 < found["tandem_rpc_seconds_total", (("method", "eth_chainId"),)] < 10
    assert found["tandem_block", (("stage", "executed"),)] == 0
    assert found["tandem_up", (("process", "execution"),)] == 1
    assert found["tandem_execution_retries_total", ()] == 0
    assert found["tandem_storage_disk_bytes", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 1_000_000


async def test_a_process_that_does_not_answer_is_down_and_has_no_metrics(
    http: aiohttp.ClientSession, address: str, chain: FakeChain
) -> None:
    chain.execution.connected = False
    found = await scraped(http, address)
    assert found["tandem_up", (("process", "execution"),)] == 0
    assert found["tandem_up", (("process", "storage"),)] == 1
    assert not [name for name, _ in found if name.startswith("tandem_execution")]


async def test_every_validator_is_told_apart_and_open_metrics_are_given_to_who_asks(
    process: RpcProcess, chain: FakeChain
) -> None:
    facts = await status(process.node)
    for index, validator in enumerate(facts["validators"]):
        validator.update(
            {
                "round": 10 + index,
                "timeouts": index,
                "mempool": {"transactions": 5, "bytes": 500},
                "connectedPeers": 3,
                "queuedBytes": 0,
                "droppedFrames": 0,
                "rejections": [{"peer": "stranger", "reason": 'a "b"\\c', "times": 2}],
            }
        )
    text, _ = exposition(facts, RequestCounts(), "text/plain")
    found = samples(text.decode())
    for index in range(len(chain.genesis.validators)):
        assert found["tandem_validator_round", (("validator", str(index)),)] == 10 + index
        assert found["tandem_validator_timeouts_total", (("validator", str(index)),)] == index
        labels = (("peer", "stranger"), ("reason", 'a "b"\\c'), ("validator", str(index)))
        assert found["tandem_validator_refused_messages_total", labels] == 2
    text, content_type = exposition(facts, RequestCounts(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert b"tandem_validator_round{" in text
    assert text.endswith(b"# EOF\n")


async def test_ready_needs_a_quorum_of_the_stake_where_health_does_not(
    http: aiohttp.ClientSession, address: str, chain: FakeChain
) -> None:
    async def said(path: str) -> tuple[int, dict[str, object]]:
        async with http.get(f"http://{address}{path}") as answer:
            return answer.status, await answer.json()

    assert await said("/ready") == (200, {"status": "ok", "block": 0})
    away = list(chain.validators.values())
    for validator in away:
        validator.connected = False
    names = [f"validator-{index}" for index in range(len(away))]
    assert await said("/ready") == (503, {"status": "waiting", "for": names})
    assert (await said("/health"))[0] == 200
    chain.storage.connected = False
    status_code, body = await said("/ready")
    assert (status_code, body["for"]) == (503, ["storage", *names])
