import pytest

from chain.keccak import keccak256
from rpc.naming.contract import contract_from
from rpc.naming.names import Names
from rpc.naming.preimages import Preimages
from rpc.process import RpcProcess
from tests.rpc.fake_chain import TOKEN, FakeChain
from tests.rpc.hotspots.world import ABI, ENTRY, LAYOUT, Blocks, name_by


@pytest.fixture
def named(process: RpcProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """One contract that somebody registered."""
    names = Names({TOKEN: (contract_from("Token", ABI, LAYOUT, None),)}, Preimages({keccak256(ENTRY): ENTRY}))
    name_by(names, process, monkeypatch)


@pytest.fixture
def blocks(chain: FakeChain) -> Blocks:
    return Blocks(chain)
