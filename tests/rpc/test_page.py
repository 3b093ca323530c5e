"""The page's files as they are served: policy, caching, and that they need nothing from anywhere else."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from rpc.page_files import FOLDER, page_files
from rpc.process import RpcProcess
from tests.rpc.conftest import serving

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROJECT = Path(__file__).parents[2]
MODULE_TESTS = sorted((Path(__file__).parent / "page").glob("*.test.mjs"))


@pytest.fixture
async def url(process: RpcProcess) -> AsyncIterator[str]:
    async with serving(process) as address:
        yield f"http://{address}"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_browser_gets_the_page_and_all_that_it_names(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/", headers=HTML) as answer:
        page = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(named) >= 5
    for name in named:
        async with http.get(f"{url}/{name}") as answer:
            assert answer.status == 200, name


async def test_whoever_asks_for_no_html_gets_facts_in_json(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/") as answer:
        facts = await answer.json()
        assert answer.headers["Vary"] == "Accept"
    assert facts.pop("client").startswith("Tandem/")
    assert facts == {"chainId": 31337, "block": 0, "hint": "POST JSON-RPC 2.0 to this address"}


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/icon.svg"])
async def test_every_file_lets_in_nothing_from_elsewhere(http: aiohttp.ClientSession, url: str, path: str) -> None:
    async with http.get(f"{url}{path}", headers=HTML) as answer:
        policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert policy["default-src"] == "'none'"
    assert {rule: value for rule, value in policy.items() if "'self'" in value} == dict.fromkeys(
        ("script-src", "style-src", "img-src", "connect-src"), "'self'"
    )
    assert "unsafe" not in str(policy)


@pytest.mark.parametrize("path", ["/", "/page/timeline.css"])
async def test_a_browser_that_has_a_file_is_told_so(http: aiohttp.ClientSession, url: str, path: str) -> None:
    async with http.get(f"{url}{path}", headers=HTML) as answer:
        etag, whole = answer.headers["ETag"], await answer.read()
        assert answer.headers["Cache-Control"] == "no-cache", "asked for again each time"
    async with http.get(f"{url}{path}", headers=HTML | {"If-None-Match": etag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with http.get(f"{url}{path}", headers=HTML | {"If-None-Match": '"another"'}) as answer:
        assert (answer.status, await answer.read()) == (200, whole)
    async with http.head(f"{url}{path}", headers=HTML) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(whole)))


@pytest.mark.parametrize("path", ["/page/", "/page/nothing.js", "/page/..%2Fpages.py", "/page/%2e%2e/pages.py"])
async def test_nothing_but_the_page_is_served(http: aiohttp.ClientSession, url: str, path: str) -> None:
    async with http.get(f"{url}{path}") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("name", sorted(page_files()))
def test_a_file_has_no_address_elsewhere_and_makes_no_markup_of_texts(name: str) -> None:
    text = (FOLDER / name).read_text()
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9][^\s\"')]*", text)) - {"http://www.w3.org/2000/svg"}
    assert {address for address in addresses if not address.startswith("// ")} == set()
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\son[a-z]+=\"", text) == []


def test_an_installed_package_has_the_page_too(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, sources)
    shutil.copytree(PROJECT / "rpc", sources / "rpc", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(sources)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("rpc/page/")}
    assert packed == {f"rpc/page/{name}" for name in page_files()}


@pytest.mark.parametrize("module", MODULE_TESTS, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node on the PATH")
def test_the_modules_that_draw_nothing_do_as_their_own_tests_say(module: Path) -> None:
    run = subprocess.run(["node", "--test", str(module)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
