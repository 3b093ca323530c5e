"""The page in a browser, headless Chromium, on a running chain. `CHROMIUM` names another than the one on the PATH."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.e2e.chain_process import chain
from tests.e2e.npm_packages import HERE, NpmPackages
from tests.e2e.running_node import Node

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCRIPT = HERE / "javascript" / "page" / "scenarios.mjs"
Scenario: TypeAlias = Callable[..., dict[str, Any]]


def browser() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("needs Chromium on the PATH (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def scenario(npm_packages: NpmPackages) -> Scenario:
    """Plays one of the scenarios, in a browser in which nothing must go wrong."""
    packages = NpmPackages({**npm_packages.environment, "CHROMIUM": browser()})

    def play(name: str, *arguments: str) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(packages.run_script(SCRIPT, name, *arguments))
        return seen

    return play


def nothing_went_wrong(seen: dict[str, Any]) -> bool:
    return (seen["errors"], seen["elsewhere"], seen["dialogs"]) == ([], [], [])


def test_blocks_of_a_chain_pass_through_the_pipeline_and_are_found_by_hash(scenario: Scenario) -> None:
    with chain() as running:
        seen = scenario("follows", running.url)
    assert nothing_went_wrong(seen), seen
    assert seen["before"]["head"] == "0"
    assert "tandem traffic" in seen["before"]["hint"]
    assert running.url in seen["before"]["hint"], "where wallets are to be pointed at"
    number, after = seen["number"], seen["after"]
    assert (after["head"], after["opened"]) == (str(number), f"Block {number}")
    *spent, whole = [int("".join(filter(str.isdigit, text))) for text in after["states"]]
    assert sum(spent) == whole, "the times in each state add up to the whole way"
    assert seen["found"]["address"] == f"#block/{number}/{seen['hash']}"
    assert seen["unknown"] == "Neither a transaction nor a block of this chain has this hash."
    assert seen["validators"] == "4 of 4 up"


def test_a_conflict_is_drawn_and_told_with_its_key_values_and_writer(scenario: Scenario, node: Node) -> None:
    seen = scenario("shows_conflicts", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert seen["lanes"] == ["worker-1", "worker-2", "execution"]
    assert sorted(seen["bars"]) == ["accepted"] * 4 + ["conflict"] * 2 + ["failed"]
    assert (seen["critical"], seen["waits"]) == (2, 1)
    assert seen["arrow"] == "arrow real active"
    for told in ("Token.totalSupply = 100", "105 was there", "written by #0", "a real dependency", "Token.transfer"):
        assert told in seen["explanation"]
    assert seen["below"].startswith("transaction 1, attempt 2 on execution, from 1.50 ms to 1.90 ms: accepted")
    assert "transaction 3, attempt 1 on worker-1, from 710 µs to 1.30 ms: the worker was lost" in seen["labels"]
    assert "speed-up\n1.20×\nmeasured" in seen["facts"]
    assert seen["notice"].startswith("From transaction 3 on the rest ran one after the other")
    [left_out] = seen["leftOut"]
    assert "left out: nonce too low" in left_out
    [hot] = seen["hot"]
    assert hot.startswith("Token.totalSupply")
    assert "1.30 ms" in hot
    assert seen["advice"] == ["4 of 5 transfers waited for Token.totalSupply."]


def test_markup_in_names_and_reasons_is_shown_as_text(scenario: Scenario, node: Node) -> None:
    seen = scenario("shows_markup_as_text", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert all(seen["name"] in shown for shown in seen["shown"]), seen["shown"]
    assert (seen["images"], seen["scripts"]) == (0, 0)


def test_the_page_goes_on_when_rpc_was_killed(scenario: Scenario) -> None:
    with chain() as running, contextlib.closing(running.rpc()):
        seen = scenario("survives_a_restart", running.url, str(running.pids()["rpc"]))
    assert seen["head"] == str(seen["number"])
    assert (seen["elsewhere"], seen["dialogs"]) == ([], [])


def test_it_is_light_or_dark_as_the_system_says_or_as_chosen(scenario: Scenario, node: Node) -> None:
    seen = scenario("has_two_themes", node.http_url)
    light, dark = seen["light"], seen["dark"]
    assert nothing_went_wrong(light)
    assert nothing_went_wrong(dark)
    assert light["system"] != dark["system"]
    assert (light["chosen"], light["kept"], light["back"]) == (dark["system"], dark["system"], light["system"])
    assert (dark["chosen"], dark["kept"], dark["back"]) == (light["system"], light["system"], dark["system"])


def test_it_fits_the_screen_of_a_telephone(scenario: Scenario, node: Node) -> None:
    seen = scenario("fits_a_telephone", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert seen["width"] == 360


def test_an_open_page_asks_nothing_of_a_chain_at_rest(scenario: Scenario, node: Node) -> None:
    seen = scenario("rests", node.http_url)
    assert nothing_went_wrong(seen), seen
    assert seen["at_first"] > 0
    assert seen["later"] == 0
