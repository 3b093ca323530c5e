"""--check-serial: what it saves when a block differs is enough to run that block again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.accounts import EMPTY_ACCOUNT, Account
from chain.block_case import BlockCase
from chain.block_case_json import case_from_json
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.system_contracts import HISTORY_STORAGE, HISTORY_WINDOW_BLOCKS
from chain.transactions import Transaction
from chain.types import Address, BlockNumber, Gas, Wei
from execution.block_run import BlockRun
from execution.known import KnownState, MissingKeys
from execution.merged import MergedState
from execution.outcome import Outcome, Slot, StateView
from execution.senders import Senders
from execution.serial_check import SerialMismatch, save_case
from execution.strategies.serial import Serial
from tests.execution.test_equivalence import COUNTER, HASH_READER, LOOP, Generator, call, world_genesis
from tests.execution.world import ADDRESSES, ENGINE, KEYS, Chain, WorkerPeer, transaction

SEED = 5


ONLY_READ_BY_THE_LIAR = ADDRESSES[20]


class LyingEngine:
    """The engine, but on some contract it leaves a mark, and looks at an account that has nothing to do with it."""

    def __init__(self, marked: Address) -> None:
        self._marked = marked

    def execute(
        self, transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
    ) -> Outcome:
        outcome = ENGINE.execute(transaction, sender, environment, view)
        if transaction.to == self._marked:
            outcome.writes.slots[(self._marked, 99)] = 1
            outcome.reads.nonces[ONLY_READ_BY_THE_LIAR] = view.account(ONLY_READ_BY_THE_LIAR).nonce
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(ENGINE, name)


async def mismatch(folder: Path, blocks_before: int = 2, asks_for_hash: bool = True) -> tuple[Chain, BlockCase]:
    """A chain whose last block a worker got wrong, and the case that was saved."""
    chain = Chain(world_genesis(), "optimistic", 0, folder)
    generator = Generator(SEED)
    for _ in range(blocks_before):
        await chain.run(generator.block(20))
    chain.workers.append(WorkerPeer("liar", chain.storage, chain.pool, LyingEngine(LOOP)))
    who = range(10, 18)
    loops = [
        transaction(KEYS[n], generator.next_nonce(n), to=LOOP, data=call("run(uint256)", 3), gas=Gas(120_000))
        for n in who
    ]
    hash_reader = transaction(KEYS[1], generator.next_nonce(1), to=HASH_READER, gas=Gas(120_000))
    plain = transaction(KEYS[2], generator.next_nonce(2), to=ADDRESSES[3], value=Wei(5))
    with pytest.raises(
        SerialMismatch, match=r"differs from its serial execution in account 0x.* the case is saved: tandem replay "
    ):
        await chain.execute([*loops, hash_reader if asks_for_hash else b"", plain, b"\x7f"])
    await chain.stop()
    saved = folder / f"serial-mismatch-{blocks_before + 1}.json"
    return chain, case_from_json(orjson.loads(saved.read_bytes()))


class Nothing:
    """What a case does not have does not exist."""

    def __init__(self, known: KnownState) -> None:
        self._known = known

    async def fetch(self, keys: MissingKeys) -> None:
        assert not keys.codes
        assert not keys.hashes
        self._known.learn_accounts((address, EMPTY_ACCOUNT) for address in keys.accounts)
        self._known.learn_slots((key, 0) for key in keys.slots)

    async def parent_applied(self) -> None:
        raise AssertionError("the parent's hash is in the case")

    def touched(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None:
        pass


async def run_serially(case: BlockCase) -> BlockRun:
    known = KnownState()
    for address, account in case.accounts.items():
        known.learn_code(keccak256(account.code), account.code)
        known.learn_accounts([(address, Account(account.nonce, account.balance, keccak256(account.code)))])
        known.learn_slots(((address, slot), value) for slot, value in account.slots.items())
    for number, block_hash in case.block_hashes.items():
        known.learn_hash(number, block_hash)
    parent = BlockNumber(case.environment.number - 1)
    known.applied = parent
    known.promise((HISTORY_STORAGE.address, parent % HISTORY_WINDOW_BLOCKS), parent)
    senders = Senders(case.environment.fork)
    signed = senders.all_signed([tx.raw for tx in case.transactions])
    assert [tx.sender for tx in signed] == [tx.sender for tx in case.transactions]
    run = BlockRun(case.environment, signed, MergedState(known), ENGINE, Nothing(known))
    await run.start()
    await Serial().run(run)
    await run.end()
    return run


async def test_a_saved_case_gives_the_serial_run_again_from_its_own_state_alone(tmp_path: Path) -> None:
    chain, case = await mismatch(tmp_path)
    run = await run_serially(case)
    assert [turn.outcome is not None for turn in run.turns] == [True] * 10 + [False]
    assert [turn.left_out is None or turn.left_out.retry for turn in run.turns] == [True] * 10 + [False]
    parent = chain.storage.head.hash
    assert case.block_hashes == {BlockNumber(2): parent}
    assert run.turns[8].outcome is not None
    assert run.turns[8].outcome.writes.slots == {(HASH_READER, 0): int.from_bytes(parent, "big")}
    before = chain.storage
    for address, account in case.accounts.items():
        assert before.accounts[address] == Account(account.nonce, account.balance, keccak256(account.code))
    assert set(case.accounts) >= {*ADDRESSES[10:18], ADDRESSES[1], ADDRESSES[2], ADDRESSES[3], LOOP, HASH_READER}
    assert COUNTER not in case.accounts


async def test_a_saved_case_tells_both_runs_where_they_differ(tmp_path: Path) -> None:
    chain, case = await mismatch(tmp_path, blocks_before=0, asks_for_hash=False)
    assert case.mismatch is not None
    assert case.block_hashes == {BlockNumber(0): chain.storage.hashes[0]}
    assert ONLY_READ_BY_THE_LIAR in case.accounts
    assert (case.mismatch.strategy, case.mismatch.workers) == ("optimistic", 1)
    assert case.mismatch.differences == (f"account 0x{LOOP.hex()}",)
    differing = case.mismatch.transactions
    assert [tx.position for tx in differing] == list(range(8))
    assert "in liar" in differing[0].found
    assert ", 99): 1" in differing[0].found
    assert "in execution" in differing[0].serial
    assert ", 99): 1" not in differing[0].serial


async def test_a_case_that_cannot_be_saved_is_told_with_the_mismatch(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, case = await mismatch(tmp_path / "cases", blocks_before=0)
    words = save_case(tmp_path / "file", case)
    assert words == f"the case cannot be saved in {tmp_path}/file/serial-mismatch-1.json: File exists"
