"""The arguments of each call: what was given, with templates filled in, and values by type where nothing was.

Everything comes from the seed and the number of the call, so that the same command sends the same calls.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from chain.keccak import keccak256
from chain.types import Address
from node.traffic.call_text import BadCall, Call, array_of, split

SMALL = 10
"""Numbers that are made up are 1 to this: senders can afford them."""
ARRAY_LENGTH = 2
WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron")
_RANGE = re.compile(r"\{(\d{1,78})\.\.(\d{1,78})\}")
_TEMPLATE = re.compile(r"\{(sender|recipient|contract|hot|random|index|\d{1,78}\.\.\d{1,78})\}")
_ANY_BRACES = re.compile(r"\{[^}]*\}")
_WIDTH = re.compile(r"\d+")
TEMPLATES = "{sender}, {recipient}, {contract}, {hot}, {random}, {index} and {1..100}"
OF_ADDRESSES = "{sender}, {recipient}, {contract} and {hot}"
OF_NUMBERS = "{hot}, {random}, {index} and {1..100}"


@dataclass(frozen=True, slots=True)
class Moment:
    """Of which call the arguments are: its number, its sender, and whether it is one of the hot ones."""

    index: int
    sender: Address
    is_hot: bool


class ArgumentMaker:
    """Makes one call's arguments after the other's. Raises BadCall for what does not fit its type, when made."""

    def __init__(self, call: Call, senders: Sequence[Address], seed: int, contract: Address) -> None:
        """`contract` is the one that is driven."""
        self.call = call
        self.contract = contract
        self.senders = senders
        self._seed = seed
        self.hot_address = Address(keccak256(b"tandem traffic hot %d" % seed)[12:])
        self.hot_place = _hot_place(call)
        """Which argument the hot calls have in common; None where no argument is picked at random."""

    def calldata(self, moment: Moment) -> bytes:
        from eth_abi.abi import encode
        from eth_abi.exceptions import EncodingError

        values = self.values(moment)
        try:
            return self.call.selector + encode(list(self.call.types), values)
        except EncodingError as error:
            raise BadCall(f"{self.call.signature}: {values} does not fit: {error}") from error

    def values(self, moment: Moment) -> list[Any]:
        """The arguments as values of their types."""
        random = Random(f"{self._seed}/{moment.index}")
        hot = Random(f"{self._seed}/hot")
        found = []
        for place, (type, given) in enumerate(zip(self.call.types, self.call.given, strict=True)):
            is_hot = moment.is_hot and place == self.hot_place
            picker = _Picker(self, moment, hot if is_hot else random, is_hot)
            try:
                found.append(picker.value(type, given))
            except BadCall as error:
                raise BadCall(f"argument {place + 1} of {self.call.signature}: {error}") from None
        return found

    def of(self, call: Call) -> "ArgumentMaker":
        """The same for another call."""
        return ArgumentMaker(call, self.senders, self._seed, self.contract)

    def shown(self, moment: Moment) -> str:
        """The arguments as one reads them."""
        values = self.values(moment)
        return ", ".join("0x" + value.hex() if isinstance(value, bytes) else repr(value) for value in values)

    def someone_else(self, sender: Address, random: Random) -> Address:
        others = [each for each in self.senders if each != sender]
        return random.choice(others) if others else Address(random.randbytes(20))


@dataclass(frozen=True, slots=True)
class _Picker:
    """One argument of one call."""

    maker: ArgumentMaker
    moment: Moment
    random: Random
    is_hot: bool

    def value(self, type: str, given: str | None) -> Any:
        array = array_of(type)
        if array is not None:
            return self._array(*array, given)
        if type.startswith("("):
            return self._tuple(type, given)
        if type == "address":
            return self._address(given)
        if type == "bool":
            return self._bool(given)
        if type == "string":
            return self._string(given)
        return self._bytes(type, given) if type.startswith("bytes") else self._number(type, given)

    def _array(self, element: str, length: int | None, given: str | None) -> list[Any]:
        parts = [None] * (ARRAY_LENGTH if length is None else length) if given is None else _inside(given, "[]")
        if length is not None and len(parts) != length:
            raise BadCall(f"{given!r} has {len(parts)} elements, the type has {length}")
        return [self.value(element, part) for part in parts]

    def _tuple(self, type: str, given: str | None) -> tuple[Any, ...]:
        types = split(type[1:-1])
        parts = [None] * len(types) if given is None else _inside(given, "()")
        if len(parts) != len(types):
            raise BadCall(f"{given!r} has {len(parts)} members, {type} has {len(types)}")
        return tuple(self.value(each, part) for each, part in zip(types, parts, strict=True))

    def _address(self, given: str | None) -> str:
        if given == "{sender}":
            return "0x" + self.moment.sender.hex()
        if given == "{contract}":
            return "0x" + self.maker.contract.hex()
        if given == "{hot}" or (self.is_hot and given in (None, "{recipient}", "{random}")):
            return "0x" + self.maker.hot_address.hex()
        if given in (None, "{recipient}", "{random}"):
            return "0x" + self.maker.someone_else(self.moment.sender, self.random).hex()
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", given or "") is None:
            raise BadCall(f"{given!r} is no address: give 0x and 40 hex digits, or one of {OF_ADDRESSES}")
        return str(given)

    def _bool(self, given: str | None) -> bool:
        if given in (None, "{random}"):
            return self.random.random() < 0.5
        if given not in ("true", "false"):
            raise BadCall(f"{given!r} is neither true nor false")
        return given == "true"

    def _number(self, type: str, given: str | None) -> int:
        width = _WIDTH.search(type)
        bits = int(width[0]) if width else 256
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if type.startswith("int") else (0, 2**bits - 1)
        number = self._picked(given)
        if not low <= number <= high:
            raise BadCall(f"{number} does not fit into {type}")
        return number

    def _picked(self, given: str | None) -> int:
        if given in (None, "{random}"):
            return self.random.randint(1, SMALL)
        if given == "{hot}":
            return Random(f"{self.maker._seed}/hot").randint(1, SMALL)
        if given == "{index}":
            return self.moment.index
        between = _RANGE.fullmatch(given or "")
        if between:
            first, last = int(between[1]), int(between[2])
            if first > last:
                raise BadCall(f"{given} ends before it begins")
            return self.random.randint(first, last)
        try:
            return int(str(given).replace("_", ""), 0)
        except ValueError:
            raise BadCall(f"{given!r} is no whole number, nor one of {OF_NUMBERS}") from None

    def _string(self, given: str | None) -> str:
        if given is None:
            given = "{random}"
        if len(given) > 1 and given[0] == given[-1] and given[0] in "\"'":
            given = given[1:-1]
        return _TEMPLATE.sub(lambda found: self._word(found[1]), given)

    def _word(self, template: str) -> str:
        if template == "sender":
            return "0x" + self.moment.sender.hex()
        if template in ("hot", "recipient", "contract"):
            return self._address("{" + template + "}")
        if template == "random":
            return self.random.choice(WORDS)
        return str(self._picked("{" + template + "}"))

    def _bytes(self, type: str, given: str | None) -> bytes:
        width = _WIDTH.search(type)
        if given in (None, "{random}"):
            return self.random.randbytes(int(width[0]) if width else 32)
        try:
            value = bytes.fromhex(str(given).removeprefix("0x"))
        except ValueError:
            raise BadCall(f"{given!r} are no bytes: give 0x and hex digits, or {{random}}") from None
        if width and len(value) > int(width[0]):
            raise BadCall(f"{given!r} has {len(value)} bytes, too many for {type}")
        return value


def _inside(given: str, brackets: str) -> list[str]:
    """The parts of a list or tuple. Raises BadCall."""
    if len(given) < 2 or given[0] != brackets[0] or given[-1] != brackets[1]:
        raise BadCall(f"{given!r}: write it in {brackets}, with commas between")
    return split(given[1:-1])


def _hot_place(call: Call) -> int | None:
    """The first argument that is picked at random: an address, if one is."""
    picked = [
        place
        for place, given in enumerate(call.given)
        if given is None or "{recipient}" in given or "{random}" in given or _RANGE.search(given)
    ]
    addresses = [place for place in picked if call.types[place] == "address"]
    return next(iter(addresses or picked), None)


def check_templates(call: Call) -> None:
    """Raises BadCall for braces that are no template."""
    for given in call.given:
        for braces in _ANY_BRACES.findall(given or ""):
            if not _TEMPLATE.fullmatch(braces):
                raise BadCall(f"{braces} is no template: there are {TEMPLATES}")
