"""`tandem report` as typed and as printed."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node import report_command
from node.gate import METRICS
from node.main import cli
from node.report import lines_of
from tests.node.reports_world import TOKEN, block, conflict, run, spot, spots, transaction

ADVICE = "412 of 500 `transfer` calls waited for `Token.totalSupply` (18.3 ms lost): each changes it by 1."


class Chain:
    """Answers a report, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.spots = spots(spot(), advice=[ADVICE])
        self.block = block(transaction(0, run("worker-0", 0, 900)))
        self.head = 999

    def ask(self, url: str, method: str, *params: Any, timeout_s: float = 0) -> Any:
        self.asked.append((method, *params))
        answers: dict[str, Any] = {
            "tandem_getHotspots": self.spots,
            "tandem_getBlockExecution": self.block,
            "eth_blockNumber": hex(self.head),
        }
        return answers[method]


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    chain = Chain()
    monkeypatch.setattr(report_command, "ask", chain.ask)
    return chain


def report(*options: str) -> Result:
    return CliRunner().invoke(cli, ["report", *options])


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--block", "7"], ("0x7", "0x7")),
        (["--block", "0x1f"], ("0x1f", "0x1f")),
        (["--block", "latest"], ("latest", "latest")),
        (["--range", "10..20"], ("0xa", "0x14")),
        (["--range", "10.."], ("0xa", "latest")),
        (["--range", "..20"], ("0x0", "0x14")),
        (["--range", "..500"], ("0xf5", "0x1f4")),
        ([], ("0x2e8", "latest")),
    ],
)
def test_blocks_are_named_by_number_or_tag_and_a_range_may_be_open(
    options: list[str], asked: tuple[str, str], chain: Chain
) -> None:
    ran = report(*options)
    assert ran.exit_code == 0, ran.output
    assert ("tandem_getHotspots", *asked) in chain.asked
    assert chain.asked[-1] == ("tandem_getBlockExecution", "0x7")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--block", "two"], "'two' is no block: give its number or latest, safe, finalized, earliest"),
        (["--block", "-1"], "'-1' is no block"),
        (["--range", "5"], "--range '5' is no range of blocks: write one like 10..20, 10.. or ..20"),
        (["--range", "a..b"], "'b' is no block"),
        (["--block", "1", "--range", "1..2"], "give --block or --range, not both"),
        (["--fail-if", "speed<1"], "there is no 'speed'"),
    ],
)
def test_what_cannot_be_understood_is_told_before_the_chain_is_asked(
    options: list[str], words: str, chain: Chain
) -> None:
    ran = report(*options)
    assert words in str(ran.exception)
    assert getattr(ran.exception, "exit_code", None) == 2
    assert chain.asked == []


def test_a_gate_that_fails_ends_with_status_1_after_the_report(chain: Chain) -> None:
    ran = report("--block", "7", "--fail-if", "speedup<2", "--fail-if", "gas>1e", "--json")
    assert getattr(ran.exception, "exit_code", None) == 2
    ran = report("--block", "7", "--fail-if", "speedup<2", "--fail-if", "conflicts>299")
    assert ADVICE[:40] in ran.output
    assert str(ran.exception) == (
        "speedup is 1.5, and to fail on is 'speedup<2': 0.5 apart; "
        "conflicts is 300, and to fail on is 'conflicts>299': 1 apart"
    )
    assert getattr(ran.exception, "exit_code", None) == 1
    assert report("--block", "7", "--fail-if", "speedup<1.5").exit_code == 0


def test_json_has_the_answers_the_metrics_and_what_failed(chain: Chain) -> None:
    ran = report("--block", "7", "--json", "--fail-if", "speedup<2")
    told = json.loads(ran.output)
    assert (told["hotspots"], told["block"]) == (chain.spots, chain.block)
    assert told["metrics"]["conflict_rate"] == 0.6
    assert len(told["failed"]) == 1


def test_where_nothing_ran_the_report_says_so_and_no_gate_passes_unseen(chain: Chain) -> None:
    chain.spots = spots(busiest=None, transactions=0, gasUsed=0, speedup=None, executionUs=0, serialUs=0)
    ran = report("--block", "7", "--fail-if", "speedup<1.5")
    assert ran.output == "block 7: 0 transactions, 0 gas\nno transaction ran there\n"
    assert "is not known here" in str(ran.exception)
    assert report("--block", "7").exit_code == 0


def test_help_names_every_metric() -> None:
    printed = report("--help").output
    for name in METRICS:
        assert f"  {name} " in printed


def text(told: dict[str, Any], drawn: dict[str, Any]) -> str:
    return "\n".join(lines_of(told, drawn))


def test_the_report_has_times_timeline_conflicts_hotspots_and_advice() -> None:
    lost = run("worker-1", 0, 300, "conflict", **conflict())
    drawn = block(
        transaction(0, run("worker-0", 0, 500)),
        transaction(1, lost, run("execution", 500, 900)),
        criticalPath=[0, 1],
        criticalPathUs=800,
        serialFrom=2,
    )
    assert text(spots(spot(), advice=[ADVICE]), drawn).splitlines() == [
        "block 7: 500 transactions, 25,000,000 gas",
        "executed in 20.0 ms, serially 30.0 ms (measured): 1.50 times as fast",
        "800 runs, 300 lost by conflicts, 112 waits: 412 transactions held up, 18.3 ms lost; 0 left out",
        "",
        "block 7: strategy optimistic, 2 workers, 2 transactions in 1.0 ms, serial from transaction 2",
        "critical path: 2 transactions that each need the one before, 0.8 ms; no number of workers is faster",
        "",
        "worker-0   " + "#" * 37 + "." * 35,
        "worker-1   " + "x" * 22 + "." * 50,
        "execution  " + "." * 36 + "#" * 29 + "." * 7,
        "           0" + " " * 65 + "1.0 ms",
        "           # counted  x lost by a conflict  ~ did not count for another reason  . idle",
        "",
        "conflicts in this block",
        "  transaction 1 (Token.transfer) on worker-1 read Token.totalSupply = 5, transaction 0 made it 6",
        "",
        "held up  conflicts  waits       lost  dependency  by",
        "    412        300    112    18.3 ms  real        Token.totalSupply",
        "",
        "- 412 of 500 `transfer` calls waited for `Token.totalSupply` (18.3 ms lost): each changes it by 1.",
    ]


def differing(**values: tuple[int, int]) -> list[dict[str, str]]:
    return [{"variable": f"Pool.{name}", "read": hex(a), "found": hex(b)} for name, (a, b) in values.items()]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"variable": None}, "slot 0x0 of Token"),
        ({"variable": None, "contract": None}, f"slot 0x0 of {TOKEN[:10]}…{TOKEN[-6:]}"),
        ({"variable": None, "slot": None, "kind": "balanceAtLeast"}, "balance of Token"),
        ({"variable": None, "slot": None, "kind": "nonce"}, "nonce of Token"),
        ({"writer": None}, "what came before the transactions made it 6"),
        ({"dependency": "artefact"}, "made it 6; an artefact of the strategy"),
        ({"found": hex(10**30)}, f"made it {10**30}"),
        ({"found": "0x" + "12" * 20}, "made it 0x12121212…121212"),
        (
            {"read": hex(5 << 128 | 1), "found": hex(5 << 128 | 2), "variables": differing(sold=(1, 2))},
            "read Pool.sold = 1, transaction 0 made it 2",
        ),
        (
            {"variables": differing(low=(1, 2), high=(9, 7))},
            "read Pool.low = 1, Pool.high = 9, transaction 0 made it Pool.low = 2, Pool.high = 7",
        ),
    ],
)
def test_a_conflict_is_told_by_what_is_known_of_it(fields: dict[str, Any], words: str) -> None:
    drawn = block(transaction(1, run("worker-1", 0, 300, "conflict", **conflict(**fields))))
    assert words in text(spots(), drawn)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"to": None, "contract": None, "function": None}, "(deployment)"),
        ({"function": None}, "(to Token)"),
        ({"contract": None, "function": None}, f"(to {TOKEN[:10]}…{TOKEN[-6:]})"),
    ],
)
def test_a_transaction_is_told_by_what_it_called(fields: dict[str, Any], words: str) -> None:
    drawn = block(transaction(1, run("worker-1", 0, 300, "conflict", **conflict()), **fields))
    assert words in text(spots(), drawn)


def test_long_lists_are_cut_and_say_so() -> None:
    lost = run("worker-1", 0, 300, "conflict", **conflict())
    printed = text(spots(*[spot()] * 14), block(*[transaction(n, lost) for n in range(13)]))
    assert "  and 3 more" in printed
    assert "\nand 4 more" in printed


def test_variables_of_one_name_in_two_contracts_are_told_apart_by_their_addresses() -> None:
    printed = text(spots(spot(), spot(address="0x" + "ab" * 20), spot(variable="Token.paused")), block())
    assert f"Token.totalSupply at {TOKEN[:10]}…{TOKEN[-6:]}" in printed
    assert "Token.totalSupply at 0xabababab…ababab" in printed
    assert printed.endswith("Token.paused")


def test_of_transactions_held_up_without_need_the_table_tells_how_many_had_to() -> None:
    rows = list(lines_of(spots(spot(needless=400), spot(needless=412, dependency="artefact")), block()))
    assert [row.split("ms  ")[1][:12] for row in rows if row.startswith("    412")] == ["12 real     ", "artefact    "]


def test_in_a_narrow_terminal_the_drawing_and_the_advice_keep_to_its_width() -> None:
    told = block(transaction(0, run("worker-10", 0, 500)), transaction(1, run("execution", 500, 1000)))
    lines = list(lines_of(spots(spot(), advice=["Split it. " * 10]), told, 60))
    drawn = next(index for index, line in enumerate(lines) if line.startswith("worker-10"))
    assert lines[drawn] == "worker-10  " + "#" * 24 + "." * 23
    advice = lines[lines.index("", lines.index("", drawn) + 1) + 1 :]
    assert max(map(len, (*lines[drawn : drawn + 7], *advice))) <= 60
    assert [line[:2] for line in advice] == ["- ", "  "]
