"""What a run changed, in the form that Parity's stateDiff has, from both sides of prestateTracer's diff."""

from typing import Any

from rpc.render import JsonObject

SAME = "="
ZERO_WORD = "0x" + "00" * 32


def state_difference(before: JsonObject, after: JsonObject) -> JsonObject:
    """By address. Accounts that were not there are added, those that stand in `before` only are removed."""
    return {address: _account(before.get(address), after.get(address)) for address in sorted(before | after)}


def _account(before: JsonObject | None, after: JsonObject | None) -> JsonObject:
    if before is None:
        return _whole("+", after or {})
    if after is None:
        return _whole("-", before)
    shown: JsonObject = {name: _change(_shown(before)[name], after, name) for name in ("balance", "nonce", "code")}
    return shown | {"storage": _slots(before.get("storage", {}), after.get("storage", {}))}


def _whole(sign: str, account: JsonObject) -> JsonObject:
    slots = {slot: {sign: value} for slot, value in account.get("storage", {}).items()}
    return {name: {sign: value} for name, value in _shown(account).items()} | {"storage": slots}


def _shown(account: JsonObject) -> dict[str, str]:
    """With what the tracer leaves out because it is nothing; the nonce as a quantity."""
    return {
        "balance": account.get("balance", "0x0"),
        "nonce": hex(account.get("nonce", 0)),
        "code": account.get("code", "0x"),
    }


def _change(old: str, after: JsonObject, name: str) -> Any:
    return {"*": {"from": old, "to": _shown(after)[name]}} if name in after else SAME


def _slots(before: dict[str, str], after: dict[str, str]) -> JsonObject:
    return {
        slot: {"*": {"from": before.get(slot, ZERO_WORD), "to": after.get(slot, ZERO_WORD)}}
        for slot in sorted(before | after)
    }
