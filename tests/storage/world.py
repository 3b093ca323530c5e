"""A small random chain and a plain model of its state."""

import random
from dataclasses import dataclass, field, replace

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, first_header
from chain.keccak import EMPTY_HASH, keccak256
from chain.merkle import ordered_root
from chain.messages.storage import ApplyBlock
from chain.receipts import Log, Receipt, bloom_of
from chain.transactions import DYNAMIC_FEE, LEGACY
from chain.types import Address, BlockNumber, Gas, Hash32, Height, Wei

HISTORY = Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"))
HISTORY_CODE = bytes.fromhex("3373fffffffffffffffffffffffffffffffffffffffe")
SLOTS_OF_HISTORY = 8191
NOBODY = Address(b"\x99" * 20)
UNKNOWN = Hash32(b"\x98" * 32)


@dataclass(slots=True)
class ModelAccount:
    account: Account = EMPTY_ACCOUNT
    slots: dict[int, int] = field(default_factory=dict)


Model = dict[Address, ModelAccount]


def genesis_of(*accounts: AccountChange, chain_id: int = 31337, fork: Fork = Fork.PRAGUE) -> Genesis:
    return Genesis(
        chain_id=chain_id,
        forks=only(fork),
        header=first_header(fork, 1_700_000_000, Gas(30_000_000), Wei(10**9)),
        accounts=accounts,
        validators=(),
        max_lag=3,
        rules="test",
        leaders="test",
    )


def history_contract() -> AccountChange:
    return AccountChange(HISTORY, Account(1, Wei(0), keccak256(HISTORY_CODE)), {}, code=HISTORY_CODE)


def block_of(genesis: Genesis, number: int, *changes: AccountChange, proposal: Hash32 | None = None) -> ApplyBlock:
    """A block without transactions."""
    return ApplyBlock(
        height=Height(number),
        proposal=proposal or keccak256(b"proposal %d" % number),
        header=replace(genesis.header, number=BlockNumber(number), timestamp=1_700_000_000 + number),
        transactions=(),
        senders=(),
        receipts=(),
        changes=changes,
        parent_hash_slot=None,
        record=b"record %d" % number,
    )


def apply_to_model(model: Model, change: AccountChange) -> None:
    """What an AccountChange means, in the fewest words."""
    if change.account.is_empty:
        model.pop(change.address, None)
        return
    entry = model.setdefault(change.address, ModelAccount())
    entry.account = change.account
    if change.clears_storage:
        entry.slots.clear()
    for number, value in change.slots.items():
        entry.slots[number] = value
        if value == 0:
            del entry.slots[number]


class RandomChain:
    """Blocks that create, change, empty, clear and remove accounts and slots, and emit logs. The seed decides all."""

    def __init__(self, seed: int, addresses: int = 24, changes: int = 8, transactions: int = 6) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.model: Model = {}
        self.addresses = [Address(self.random.randbytes(20)) for _ in range(addresses)]
        self.topics = [Hash32(self.random.randbytes(32)) for _ in range(5)]
        self._changes = changes
        self._transactions = transactions
        start = [AccountChange(a, Account(0, Wei(10**22)), {}) for a in self.addresses[: addresses // 2]]
        self.genesis = genesis_of(history_contract(), *start)
        for change in self.genesis.accounts:
            apply_to_model(self.model, change)

    def next(self, parent: Hash32) -> ApplyBlock:
        """The next block; the model is then that of the state after it."""
        self.number += 1
        slot = (self.number - 1) % SLOTS_OF_HISTORY
        picked = self.random.sample(self.addresses, self.random.randint(0, min(self._changes, len(self.addresses))))
        changes = tuple([self._change(address) for address in picked])
        for change in changes:
            apply_to_model(self.model, change)
        self.model[HISTORY].slots[slot] = int.from_bytes(parent, "big")
        count = self.random.randint(0, self._transactions)
        block = block_of(self.genesis, self.number, *changes, proposal=Hash32(self.random.randbytes(32)))
        raws = tuple([self.random.randbytes(self.random.randint(60, 200)) for _ in range(count)])
        receipts = tuple([self._receipt(index) for index in range(count)])
        header = replace(
            block.header,
            transactions_root=ordered_root(raws),
            receipts_root=ordered_root([receipt.encode() for receipt in receipts]),
            logs_bloom=bloom_of(log for receipt in receipts for log in receipt.logs),
        )
        return replace(
            block,
            header=header,
            transactions=raws,
            senders=tuple(self.random.choices(self.addresses, k=count)),
            receipts=receipts,
            parent_hash_slot=(HISTORY, slot),
        )

    def _change(self, address: Address) -> AccountChange:
        choice = self.random.random()
        before = self.model.get(address, ModelAccount())
        if choice < 0.15:
            return AccountChange(address, EMPTY_ACCOUNT, {})
        account = replace(before.account, nonce=before.account.nonce + 1, balance=Wei(self.random.getrandbits(80)))
        if choice < 0.4:
            return AccountChange(address, account, {})
        code = self.random.randbytes(40) if account.code_hash == EMPTY_HASH else None
        if code is not None:
            account = replace(account, code_hash=keccak256(code))
        cleared = self.random.choices(list(before.slots), k=3) if before.slots else []
        slots = dict.fromkeys(cleared, 0)
        for _ in range(self.random.randint(0, 6)):
            slots[self._slot()] = self.random.choice((0, 1, 127, 128, self.random.getrandbits(255)))
        return AccountChange(address, account, slots, clears_storage=self.random.random() < 0.15, code=code)

    def _slot(self) -> int:
        return self.random.randrange(12) if self.random.random() < 0.7 else self.random.getrandbits(256)

    def _receipt(self, index: int) -> Receipt:
        logs = tuple([self._log() for _ in range(self.random.choice((0, 0, 1, 3)))])
        kind = self.random.choice((LEGACY, DYNAMIC_FEE))
        return Receipt(kind, self.random.random() < 0.9, Gas(21_000), Gas(21_000 * (index + 1)), logs, Wei(10**9))

    def _log(self) -> Log:
        topics = tuple(self.random.choices(self.topics, k=self.random.randint(0, 4)))
        return Log(self.random.choice(self.addresses[:6]), topics, self.random.randbytes(8))
