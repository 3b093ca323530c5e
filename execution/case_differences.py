"""What a run of a block case disagrees on with what is known of the block, in words."""

from collections.abc import Iterable, Iterator

from chain.addresses import checksummed
from chain.block_case import BlockCase
from chain.merkle import ordered_root
from chain.receipts import bloom_of
from execution.assembly import receipts_of
from execution.block_run import BlockRun
from execution.state_after import PlainAccount, StateAfter

SHOWN = 5
"""How many accounts and slots that differ are named."""


def against_header(case: BlockCase, run: BlockRun) -> list[str]:
    """Where gas, bloom and receipts are not those of the block's header, if that is known, and what was left out."""
    expected = case.expected
    if expected is None:
        return []
    found = [f"transaction {i} is left out: {turn.left_out}" for i, turn in enumerate(run.turns) if turn.left_out]
    receipts = receipts_of(run)
    if run.gas_used != expected.gas_used:
        found.append(f"gas used is {run.gas_used:,}, the header says {expected.gas_used:,}")
    if bloom_of(entry for receipt in receipts for entry in receipt.logs) != expected.logs_bloom:
        found.append("the bloom is not the header's")
    if expected.receipts_root is not None:
        root = ordered_root([receipt.encode() for receipt in receipts])
        if root != expected.receipts_root:
            found.append(f"receipts root is 0x{root.hex()}, the header says 0x{expected.receipts_root.hex()}")
    return _shortened(found)


def against_state(ours: StateAfter, theirs: StateAfter, whose: str) -> list[str]:
    """Where one state after a case is not the other, which is `whose`."""
    return _shortened([*_accounts(ours, theirs, whose), *_slots(ours, theirs, whose)])


def _accounts(ours: StateAfter, theirs: StateAfter, whose: str) -> Iterator[str]:
    for address in dict.fromkeys([*ours.accounts, *theirs.accounts]):
        rows = zip(_words(ours.account(address)), _words(theirs.account(address)), strict=True)
        for name, (found, wanted) in zip(("nonce", "balance", "code hash"), rows, strict=True):
            if found != wanted:
                yield f"{name} of {checksummed(address)} is {found}, {whose} has {wanted}"


def _slots(ours: StateAfter, theirs: StateAfter, whose: str) -> Iterator[str]:
    for address, number in dict.fromkeys([*ours.slots, *theirs.slots]):
        found, wanted = ours.slot((address, number)), theirs.slot((address, number))
        if found != wanted:
            yield f"slot {number:#x} of {checksummed(address)} is {found:#x}, {whose} has {wanted:#x}"


def _words(account: PlainAccount) -> tuple[str, str, str]:
    nonce, balance, code_hash = account
    return str(nonce), str(balance), f"0x{code_hash.hex()}"


def _shortened(found: Iterable[str]) -> list[str]:
    every = list(found)
    more = len(every) - SHOWN
    return every if more <= 0 else [*every[:SHOWN], f"and {more} more"]
