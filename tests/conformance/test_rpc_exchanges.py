"""After the official chain is imported, the official requests get the official answers."""

import contextlib
from collections.abc import Iterator

import pytest

from rpc import namespaces
from rpc.methods import METHODS
from tests.conformance.rpc_exchanges import CHAIN, GENESIS, Exchange, differences, exchanges
from tests.e2e.chain_process import chain
from tests.e2e.command_line import tandem
from tests.e2e.json_rpc import JsonRpc

pytestmark = pytest.mark.e2e

EXCHANGES = exchanges()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonRpc]:
    folder = str(tmp_path_factory.mktemp("imported"))
    imported = tandem("import", str(CHAIN), "--genesis", str(GENESIS), "--data-dir", folder)
    assert imported.returncode == 0, imported.stderr
    with chain("--data-dir", folder) as running, contextlib.closing(running.rpc()) as client:
        yield client


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_a_request_is_answered_as_officially(client: JsonRpc, exchange: Exchange) -> None:
    assert differences(client, exchange) == []


def test_the_exchanges_are_all_there() -> None:
    assert len(EXCHANGES) == 232


def test_every_method_is_offered() -> None:
    assert namespaces.__all__
    asked = {method for exchange in EXCHANGES for method in exchange.methods}
    assert asked <= METHODS.keys()
