"""Which requests on a fork are the remote's to answer, and how they are put to it."""

from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from chain.messages import Message
from chain.messages.storage import AskRemote, RemoteAnswer
from chain.types import BlockNumber, Hash32
from rpc.methods import METHODS, Node
from rpc.params import BlockTag
from rpc.remote import OF_BLOCKS, OF_STATES, OF_TRANSACTIONS, RemoteBlocks, RemoteRefused
from tests.rpc.small_chain import AnsweringLink

FORKED, HEAD = BlockNumber(100), BlockNumber(103)
OURS, THEIRS, LATER, UNKNOWN = (Hash32(bytes((n,)) * 32) for n in (1, 2, 3, 4))
A = "0x" + "aa" * 20


class Storage(AnsweringLink):
    """Forwards to a remote that has a block and a transaction under THEIRS, and newer ones under LATER."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, list[Any]]] = []
        self.refuses = False

    def answer(self, message: Message) -> Message:
        assert isinstance(message, AskRemote)
        params = orjson.loads(message.params)
        self.asked.append((message.method, params))
        if self.refuses:
            return RemoteAnswer(None, 3, "execution reverted", b'"0x08"')
        number = {"0x" + THEIRS.hex(): "0x32", "0x" + LATER.hex(): "0x65"}.get(str(params[0]))
        found = {"eth_getBlockByHash": {"number": number}, "eth_getTransactionByHash": {"blockNumber": number}}
        result = found.get(message.method, "theirs")
        return RemoteAnswer(orjson.dumps(result if number or isinstance(result, str) else None), 0, "", None)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def remote(storage: Storage) -> RemoteBlocks:
    return RemoteBlocks(storage, FORKED, "http://remote", "http://remote")


async def _block(block_hash: Hash32) -> Any:
    return SimpleNamespace(header=SimpleNamespace(number=HEAD)) if block_hash == OURS else None


async def _transaction(transaction_hash: Hash32) -> Any:
    return "ours" if transaction_hash == OURS else None


def _resolve(reference: BlockTag | BlockNumber) -> BlockNumber:
    tags = {BlockTag.LATEST: HEAD, BlockTag.EARLIEST: BlockNumber(0), BlockTag.FINALIZED: FORKED, BlockTag.SAFE: HEAD}
    return tags[reference] if isinstance(reference, BlockTag) else reference


NODE = cast(
    Node,
    SimpleNamespace(
        chain=SimpleNamespace(resolve=_resolve, block=_block, transaction=_transaction),
        admission=SimpleNamespace(pool={}),
    ),
)


async def _asked(remote: RemoteBlocks, method: str, *params: Any) -> list[Any]:
    given = list(params)
    return await remote.answered(NODE, method, METHODS[method].parse(given), given)


@pytest.mark.parametrize(
    ("block", "is_theirs"),
    [("0x64", True), ("0x65", False), ("0x0", True), ("earliest", True), ("latest", False), ("finalized", True)],
)
async def test_blocks_up_to_the_forked_one_are_the_remote_s(
    remote: RemoteBlocks, storage: Storage, block: str, is_theirs: bool
) -> None:
    answer = await _asked(remote, "eth_getBlockByNumber", block, True)
    named = {"earliest": "0x0", "finalized": "0x64"}.get(block, block)
    assert answer == (["theirs"] if is_theirs else [])
    assert storage.asked == ([("eth_getBlockByNumber", [named, True])] if is_theirs else [])


@pytest.mark.parametrize(
    ("block", "is_theirs"), [("0x63", True), ("0x64", False), ("latest", False), ("pending", False)]
)
async def test_the_state_after_the_forked_block_is_ours(remote: RemoteBlocks, block: str, is_theirs: bool) -> None:
    assert await _asked(remote, "eth_getBalance", A, block) == (["theirs"] if is_theirs else [])
    assert await _asked(remote, "eth_getStorageAt", A, "0x1", block) == (["theirs"] if is_theirs else [])
    assert await _asked(remote, "eth_call", {"to": A}, block) == (["theirs"] if is_theirs else [])


async def test_a_read_without_a_block_is_of_the_newest_one_and_ours(remote: RemoteBlocks, storage: Storage) -> None:
    assert await _asked(remote, "eth_getBalance", A) == []
    assert await _asked(remote, "eth_call", {"to": A}) == []
    assert storage.asked == []


@pytest.mark.parametrize(("named", "is_theirs"), [(THEIRS, True), (LATER, False), (OURS, False), (UNKNOWN, False)])
async def test_of_a_hash_the_remote_is_asked_unless_it_is_ours_and_may_not_be_newer(
    remote: RemoteBlocks, storage: Storage, named: Hash32, is_theirs: bool
) -> None:
    text = "0x" + named.hex()
    expected = [{"number": "0x32"}] if is_theirs else []
    assert await _asked(remote, "eth_getBlockByHash", text, False) == expected
    assert await _asked(remote, "eth_getBalance", A, {"blockHash": text}) == (["theirs"] if is_theirs else [])
    if is_theirs:
        assert storage.asked[-1] == ("eth_getBalance", [A, "0x32"]), "by number, which every node understands"
    if named == OURS:
        assert storage.asked == []


@pytest.mark.parametrize(("named", "is_theirs"), [(THEIRS, True), (LATER, False), (OURS, False), (UNKNOWN, False)])
async def test_a_transaction_is_the_remote_s_if_it_is_in_an_old_block(
    remote: RemoteBlocks, storage: Storage, named: Hash32, is_theirs: bool
) -> None:
    text = "0x" + named.hex()
    assert await _asked(remote, "eth_getTransactionReceipt", text) == (["theirs"] if is_theirs else [])
    before = len(storage.asked)
    assert await _asked(remote, "eth_getTransactionReceipt", text) == (["theirs"] if is_theirs else [])
    if not is_theirs:
        assert len(storage.asked) == before, "what is not there is looked for once"


async def test_the_remote_s_error_is_the_client_s(remote: RemoteBlocks, storage: Storage) -> None:
    storage.refuses = True
    with pytest.raises(RemoteRefused) as refused:
        await _asked(remote, "eth_call", {"to": A}, "0x1")
    assert refused.value.as_json() == {"code": 3, "message": "execution reverted", "data": "0x08"}


async def test_other_methods_are_never_the_remote_s(remote: RemoteBlocks, storage: Storage) -> None:
    assert await _asked(remote, "eth_chainId") == []
    assert await _asked(remote, "eth_accounts") == []
    assert storage.asked == []


def test_what_is_forwarded_exists() -> None:
    assert METHODS.keys() >= {*OF_BLOCKS, *OF_STATES, *OF_TRANSACTIONS}
