"""What `tandem_status` says, as metrics of Prometheus. Nothing is gathered until somebody asks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from rpc.request_counts import RequestCounts

Status = Mapping[str, Any]
STORAGE_GAUGES = frozenset({"waiting_reads"})
"""Those of storage's counters that go down too."""
VALIDATOR_GAUGES = (("round", "round"), ("connectedPeers", "connected_peers"), ("queuedBytes", "queued_bytes"))
VALIDATOR_COUNTERS = (("timeouts", "timeouts"), ("droppedFrames", "dropped_frames"))


def exposition(status: Status, requests: RequestCounts, accept: str) -> tuple[bytes, str]:
    """The text in the format that `accept` asks for, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(ChainCollector(status, requests))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class ChainCollector(Collector):
    """The metrics of one status."""

    def __init__(self, status: Status, requests: RequestCounts) -> None:
        self._status = status
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        yield from self._chain()
        yield from self._execution()
        yield from self._storage()
        yield from self._validators()
        yield from self._rpc()

    def _chain(self) -> Iterator[Metric]:
        status = self._status
        facts = {"client": status["client"], "fork": status["fork"], "rules": status["rules"]}
        names = {**facts, "chain_id": str(status["chainId"])}
        yield _labelled_gauge(
            "tandem_chain_info", "What this chain is; always 1.", list(names), [([*names.values()], 1)]
        )
        stages = [([stage], number) for stage, number in status["heights"].items()]
        yield _labelled_gauge("tandem_block", "Newest block in each stage of its life.", ["stage"], stages)
        answering = [
            (["execution"], int(status["execution"] is not None)),
            (["storage"], int(status["storage"] is not None)),
            *(([f"validator-{v['index']}"], int(v["connected"])) for v in status["validators"]),
        ]
        yield _labelled_gauge("tandem_up", "Whether a process answers.", ["process"], answering)
        restarts = [([process["name"]], process["restarts"]) for process in status["processes"] or ()]
        yield _labelled_counter("tandem_process_restarts", "Restarts since the chain began.", ["process"], restarts)

    def _execution(self) -> Iterator[Metric]:
        execution = self._status["execution"]
        if execution is None:
            return
        yield GaugeMetricFamily(
            "tandem_execution_lag_blocks",
            "Committed blocks not executed yet.",
            value=execution["committed"] - execution["executed"],
        )
        yield GaugeMetricFamily("tandem_execution_workers", "Workers connected.", value=execution["workers"])
        yield GaugeMetricFamily("tandem_execution_queued_tasks", "Tasks no worker has.", value=execution["queuedTasks"])
        yield GaugeMetricFamily(
            "tandem_execution_stalled", "1 if no block can ever follow.", value=int(bool(execution["stalled"]))
        )
        yield from _counters("tandem_execution", execution["counters"])

    def _storage(self) -> Iterator[Metric]:
        storage = self._status["storage"]
        if storage is None:
            return
        yield GaugeMetricFamily("tandem_storage_disk_bytes", "What the database takes.", value=storage["diskBytes"])
        yield GaugeMetricFamily("tandem_storage_version", "Newest version of the state.", value=storage["version"])
        yield GaugeMetricFamily("tandem_storage_oldest_block", "Oldest block kept.", value=storage["oldest"])
        yield GaugeMetricFamily(
            "tandem_storage_oldest_state", "Oldest block whose state is kept.", value=storage["oldestState"]
        )
        yield from _counters("tandem_storage", storage["counters"])

    def _validators(self) -> Iterator[Metric]:
        known = [v for v in self._status["validators"] if "round" in v]
        for name, metric in VALIDATOR_GAUGES:
            rows = [([str(v["index"])], v[name]) for v in known]
            yield _labelled_gauge(f"tandem_validator_{metric}", _words(metric), ["validator"], rows)
        for name, metric in VALIDATOR_COUNTERS:
            rows = [([str(v["index"])], v[name]) for v in known]
            yield _labelled_counter(f"tandem_validator_{metric}", _words(metric), ["validator"], rows)
        for name in ("transactions", "bytes"):
            rows = [([str(v["index"])], v["mempool"][name]) for v in known]
            yield _labelled_gauge(f"tandem_mempool_{name}", f"{_words(name)} waiting.", ["validator"], rows)
        refused = [
            ([str(v["index"]), refusal["peer"], refusal["reason"]], refusal["times"])
            for v in known
            for refusal in v["rejections"]
        ]
        labels = ["validator", "peer", "reason"]
        yield _labelled_counter("tandem_validator_refused_messages", "Messages of peers refused.", labels, refused)

    def _rpc(self) -> Iterator[Metric]:
        pool, counts = self._status["pool"], list(self._requests)
        states = [([state], pool[state]) for state in ("pending", "queued")]
        yield _labelled_gauge("tandem_pool_transactions", "Transactions that wait to be included.", ["state"], states)
        for name, words, rows in (
            ("requests", "Requests answered.", [([method], count.requests) for method, count in counts]),
            ("failures", "Requests answered with an error.", [([method], count.failures) for method, count in counts]),
            ("seconds", "Time taken by requests.", [([method], count.seconds) for method, count in counts]),
        ):
            yield _labelled_counter(f"tandem_rpc_{name}", words, ["method"], rows)


def _counters(prefix: str, counters: Mapping[str, int]) -> Iterator[Metric]:
    """A room's own counts: of the messages it answered, by their names, and of others."""
    asked = {name: times for name, times in counters.items() if not name.islower()}
    yield _labelled_counter(
        f"{prefix}_requests", "Messages answered.", ["message"], [([name], times) for name, times in asked.items()]
    )
    for name, value in counters.items():
        if name in asked:
            continue
        family = GaugeMetricFamily if name in STORAGE_GAUGES else CounterMetricFamily
        yield family(f"{prefix}_{name}", _words(name), value=value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


Rows = Iterable[tuple[list[str], float]]


def _labelled_gauge(name: str, words: str, labels: list[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _labelled_counter(name: str, words: str, labels: list[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family
