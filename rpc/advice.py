"""Advice in words, for who wrote the contracts: what held up whom, what it cost, and what to change. Pure.

Each piece says what was seen and no more: what is not in the records is not guessed.
"""

from collections.abc import Sequence

from chain.addresses import checksummed
from chain.records import AccessKind, Dependency
from chain.types import Address
from rpc.hotspots import Function, Hotspot, Tally
from rpc.naming.names import Names
from rpc.slot_advice import few_change, remedy_of_slot, variable_of

MAX_ADVICE = 5
OUTSTANDING = 4
"""An entry of a mapping stands out that held up one in so many of those that any entry held up."""
WORTH_A_WORD = 20
"""What cost less than one in so many parts of all that was lost is passed over."""
BALANCES = (AccessKind.BALANCE, AccessKind.BALANCE_AT_LEAST)


def advice(tally: Tally, spots: Sequence[Hotspot], names: Names) -> list[str]:
    """What to change, what costs most first. `spots` are the hottest."""
    words = [
        about_spot(tally, topic[0], names) if len(topic) == 1 else about_entries(tally, topic, names)
        for topic in topics_of(spots, names)[:MAX_ADVICE]
    ]
    if tally.serial_blocks:
        words.append(
            f"In {tally.serial_blocks} of {tally.blocks} blocks more than half of the speculative runs lost, so that "
            "the rest of the block ran serially: what is said above costs all of the parallelism there."
        )
    if tally.transactions and not tally.sent_to_workers:
        words.append(_nothing_was_sent(tally))
    return words


def topics_of(spots: Sequence[Hotspot], names: Names) -> list[list[Hotspot]]:
    """What is worth a word: hotspots one by one, but together those entries of one mapping of which none stands out."""
    topics: list[list[Hotspot]] = []
    families: dict[tuple[Address, str], list[Hotspot]] = {}
    for spot in spots:
        mapping = _mapping_of(spot, names)
        if mapping is None or spot.dependency == Dependency.ARTEFACT:
            topics.append([spot])
        else:
            families.setdefault((spot.address, mapping), []).append(spot)
    for family in families.values():
        held_up = sum(len(spot.losers) for spot in family)
        alone = [spot for spot in family if len(spot.losers) * OUTSTANDING >= held_up]
        together = [spot for spot in family if len(spot.losers) * OUTSTANDING < held_up]
        topics += [[spot] for spot in alone] + ([together] if together else [])
    topics.sort(key=_lost_us, reverse=True)
    return [topic for topic in topics if _lost_us(topic) * WORTH_A_WORD >= _lost_us(spots)]


def _lost_us(spots: Sequence[Hotspot]) -> int:
    return sum(spot.lost_us for spot in spots)


def _mapping_of(spot: Hotspot, names: Names) -> str | None:
    """The mapping or array that a slot is an entry of: Token.balanceOf, or mapping at slot 0."""
    variable = variable_of(spot, names)
    if variable is None:
        return None
    mapping, bracket, _ = variable.partition("[")
    if bracket:
        return mapping
    mapping, key, _ = variable.partition(", key ")
    return mapping if key else None


def about_entries(tally: Tally, spots: Sequence[Hotspot], names: Names) -> str:
    """Many entries of one mapping, each of which held up a few."""
    losers = {place: caller for spot in spots for place, caller in spot.losers.items()}
    functions = list(dict.fromkeys(caller.function for caller in losers.values()))
    total = sum(tally.calls[function] for function in functions)
    return (
        f"{len(losers)} of {total} {_calls(functions, names)} met at {len(spots)} entries of "
        f"`{_mapping_of(spots[0], names)}` ({_lost_us(spots) / 1000:.1f} ms lost), none of which stands out: calls "
        "that touch the same entry follow one another. Spread over more entries, more of them run side by side."
    )


def about_spot(tally: Tally, spot: Hotspot, names: Names) -> str:
    """One hotspot: who was held up by what, how many of them had to be, and what to do about it."""
    functions = spot.functions
    total = sum(tally.calls[function] for function in functions)
    verb = "waited for" if not spot.conflicts else "ran again because of" if not spot.waits else "were held up by"
    needless = len(spot.losers) - len(spot.had_to) if spot.had_to else 0
    return (
        f"{len(spot.losers)} of {total} {_calls(list(functions), names)} {verb} {key_in_words(spot, names)} "
        f"({spot.lost_us / 1000:.1f} ms lost{f', {needless} of them without need' if needless else ''}): "
        f"{_remedy(tally, spot, names)}"
    )


def key_in_words(spot: Hotspot, names: Names) -> str:
    """`Token.totalSupply`, the balance of Token, ..."""
    if spot.kind == AccessKind.SLOT:
        variable = variable_of(spot, names) or f"slot {hex(spot.slot)}"
        return f"`{variable}`" if names.contract(spot.address) else f"{variable} of {_account(spot, names)}"
    part = {
        AccessKind.NONCE: "the nonce of",
        AccessKind.CODE: "the code of",
        AccessKind.EMPTINESS: "the existence of",
        AccessKind.ACCOUNT: "the lock on",
    }
    return f"{part.get(spot.kind, 'the balance of')} {_account(spot, names)}"


def _account(spot: Hotspot, names: Names) -> str:
    return names.contract(spot.address) or checksummed(spot.address)


def _calls(functions: Sequence[Function], names: Names) -> str:
    """`transfer` calls; transactions where there are several kinds."""
    if len(functions) > 1:
        return "transactions"
    ((to, selector),) = functions
    if to is None:
        return "deployments"
    if not selector:
        return "plain transfers"
    name = names.function(to, selector)
    return f"`{name.partition('(')[0]}` calls" if name else f"calls of 0x{selector.hex()}"


def _remedy(tally: Tally, spot: Hotspot, names: Names) -> str:
    if spot.dependency == Dependency.ARTEFACT:
        return _of_artefact(tally, spot)
    if len({caller.sender for caller in spot.losers.values()}) == 1 and len(spot.losers) > 1:
        return "one account sent them all, one after the other. Send from several accounts."
    if spot.kind == AccessKind.SLOT:
        return _few_change_it(spot, names) if few_change(spot) else remedy_of_slot(spot, names)
    if spot.kind in BALANCES:
        return _of_balance(spot)
    if spot.kind == AccessKind.NONCE:
        return _of_nonce(spot)
    return "they use an account that the same block creates or destroys. Do that in an earlier block."


def _few_change_it(spot: Hotspot, names: Names) -> str:
    writers = sorted({_calls([caller.function], names) for caller in spot.writers.values()})
    return (
        f"few transactions change it ({', '.join(writers)}) and many read it. Change it more rarely, several "
        "changes in one transaction, or read a copy that is brought up to date less often."
    )


def _of_artefact(tally: Tally, spot: Hotspot) -> str:
    if spot.kind == AccessKind.ACCOUNT:
        return (
            "they share no variable, it is the strategy that locks whole accounts. `--strategy optimistic` and `dag` "
            "look at each slot; where accounts are locked, give each user a contract or account of its own."
        )
    if not spot.conflicts and "block-stm" not in tally.strategies:
        return (
            "none of them had to: what they read there had not been changed before them. The strategy expected it, "
            "because calls like them met there in blocks before; it forgets that."
        )
    return (
        "serial execution has no such dependency; it comes from speculative runs that were rejected themselves. It "
        "goes when the conflicts before it go."
    )


def _of_nonce(spot: Hotspot) -> str:
    if any(caller.sender == spot.address for caller in spot.losers.values()):
        return "transactions of one account follow one another. Send from several accounts."
    return (
        "its nonce counts the contracts that it creates, with CREATE2 too. Let several factories create them, or let "
        "users deploy their own."
    )


def _of_balance(spot: Hotspot) -> str:
    if spot.kind == AccessKind.BALANCE:
        return (
            "they read its exact balance (address(this).balance, BALANCE) while others change it. Keep an account of "
            "what came in by user instead; ether that is only received or sent holds nobody up."
        )
    return (
        "what they pay comes from ether that other transactions of the same block bring or take. Keep enough ether "
        "there, or let everybody collect their own (pull payments)."
    )


def _nothing_was_sent(tally: Tally) -> str:
    if tally.strategies == {"serial"}:
        return "The strategy is serial: every transaction runs in the execution process, one after the other."
    unseen = " Whether they would hold each other up then is told by a block's critical path."
    return (
        "No transaction was sent to a worker: plain transfers never are, and a block with little other work runs in "
        f"the execution process at once. Blocks get fuller when more is sent at once.{'' if tally.held_up else unseen}"
    )
