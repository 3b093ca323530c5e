"""What is told again of a block after a restart is what was told of it when it was executed."""

from dataclasses import replace

import pytest

from chain.codec import decode_message, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.storage import ReadBlock, ReadState, StoredBlock
from chain.operations import INITIAL_SETTINGS
from chain.signing import sign
from chain.transactions import SET_CODE, Authorization
from chain.types import Address, Gas, Height, ValidatorIndex, Wei
from execution.assembly import ExecutedBlock
from execution.history import Announcement, BlockNotStored, History
from execution.storage_requests import StorageRequests
from tests.execution.test_equivalence import COUNTER, EMPTY, Generator, world_genesis
from tests.execution.world import ADDRESSES, CHAIN_ID, KEYS, Chain, transaction

COMMITTED = Height(99)


def authorization(authority: int, nonce: int) -> Authorization:
    unsigned = Authorization(CHAIN_ID, COUNTER, nonce, 0, 0, 0)
    return Authorization(CHAIN_ID, COUNTER, nonce, *sign(unsigned.signing_hash(), KEYS[authority]))


def history_of(chain: Chain, storage: StorageRequests | None = None) -> History:
    return History(storage or chain.storage, COMMITTED, chain.genesis.gas_limit, INITIAL_SETTINGS)


async def told_first_and_again(chain: Chain, block: ExecutedBlock) -> tuple[Announcement, Announcement]:
    told = history_of(chain).announce(block, await chain.apply(block), COMMITTED)
    return without_block(told), await history_of(chain).get(block.height)


def without_block(announcement: Announcement) -> Announcement:
    """Told again, a block does not come along."""
    assert announcement.news is not None
    return replace(announcement, news=replace(announcement.news, block=None))


async def test_the_nonce_that_an_authorization_used_and_every_changed_balance_are_told_again() -> None:
    chain = Chain(world_genesis())
    set_code = transaction(
        KEYS[0], 0, type=SET_CODE, to=COUNTER, gas=Gas(200_000), authorizations=(authorization(5, 0),)
    )
    transfer = transaction(KEYS[1], 0, to=EMPTY[0], value=Wei(7))
    gap = transaction(KEYS[2], 3, to=EMPTY[1], value=Wei(1))
    told, again = await told_first_and_again(chain, await chain.execute([set_code, transfer, gap]))
    assert again == told
    states = {state.address: state for state in again.result.senders}
    assert states[ADDRESSES[5]].nonce == 1
    assert states[EMPTY[0]].balance == 7
    assert states[ADDRESSES[2]].nonce == 0, "left out, and its sender's state is what it was refused for"


@pytest.mark.parametrize("seed", range(3))
async def test_random_blocks_are_told_again_alike_also_when_later_ones_have_changed_the_state(seed: int) -> None:
    chain, generator = Chain(world_genesis()), Generator(seed)
    told = []
    for _ in range(4):
        block = await chain.execute(generator.block(40))
        told.append(history_of(chain).announce(block, await chain.apply(block), COMMITTED))
    history = history_of(chain)
    for announcement in told:
        assert await history.get(announcement.result.height) == without_block(announcement), f"seed {seed}"


@pytest.mark.parametrize(("transactions", "goes_along"), [(1, True), (16, True), (17, False)])
async def test_a_small_block_goes_along_with_its_news_as_storage_has_it(transactions: int, goes_along: bool) -> None:
    chain = Chain(world_genesis())
    block = await chain.execute([transaction(KEYS[0], n, to=EMPTY[0], value=Wei(1)) for n in range(transactions)])
    news = history_of(chain).announce(block, await chain.apply(block), COMMITTED).news
    assert news is not None
    stored = await chain.storage.request(ReadBlock(news.number, None, with_receipts=True))
    assert isinstance(stored, StoredBlock)
    assert news.block == (replace(stored, receipts=block.apply.receipts) if goes_along else None)
    assert decode_message(encode_message(news)) == news


EMITS_NOTHING = bytes((0x5F, 0x5F, 0xA0))  # PUSH0 PUSH0 LOG0


@pytest.mark.parametrize(("to", "data"), [(EMPTY[0], bytes(16 * 1024)), (None, EMITS_NOTHING * 150)])
async def test_a_block_with_much_data_or_many_logs_stays_behind(to: Address | None, data: bytes) -> None:
    chain = Chain(world_genesis())
    block = await chain.execute([transaction(KEYS[0], 0, to=to, data=data, gas=Gas(2_000_000))])
    news = history_of(chain).announce(block, await chain.apply(block), COMMITTED).news
    assert block.included
    assert news is not None
    assert news.block is None


async def test_whoever_proved_the_newest_commit_is_told_as_the_leader_and_of_an_older_block_nobody() -> None:
    chain, prover = Chain(world_genesis()), ValidatorIndex(2)
    block = await chain.execute([transaction(KEYS[0], 0, to=EMPTY[0], value=Wei(1))])
    applied = await chain.apply(block)
    newest = history_of(chain).announce(block, applied, block.height, prover).news
    older = history_of(chain).announce(block, applied, Height(block.height + 1), prover).news
    assert newest is not None
    assert older is not None
    assert (newest.leader, older.leader) == (prover, None)


class PrunedStates:
    """A storage that has pruned the states of all blocks but the newest."""

    def __init__(self, storage: StorageRequests, refusal: str = "StatePruned") -> None:
        self._storage = storage
        self._refusal = refusal

    async def request(self, message: Message) -> Message:
        if isinstance(message, ReadState) and message.version is not None:
            raise RequestFailed(self._refusal, "historical state is not available")
        return await self._storage.request(message)


async def test_where_the_state_is_pruned_a_block_is_told_again_with_the_newest_nonces_and_balances() -> None:
    chain = Chain(world_genesis())
    told = []
    for nonce in range(2):
        block = await chain.execute([transaction(KEYS[0], nonce, to=EMPTY[0], value=Wei(7))])
        told.append(history_of(chain).announce(block, await chain.apply(block), COMMITTED))
    again = await history_of(chain, PrunedStates(chain.storage)).get(Height(1))
    assert again.result == replace(told[0].result, senders=told[1].result.senders)
    with pytest.raises(RequestFailed):
        await history_of(chain, PrunedStates(chain.storage, "VersionOutOfRange")).get(Height(1))


async def test_a_block_that_storage_lacks_is_named() -> None:
    with pytest.raises(BlockNotStored, match="the block of height 3 is not in storage"):
        await history_of(Chain(world_genesis())).get(Height(3))
