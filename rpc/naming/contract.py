"""A contract that somebody has compiled: its name, its interface, its storage layout and its bytecode."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rpc.naming.bytecode import BadBytecode, CodePattern, pattern_from
from rpc.naming.guesses import guessable
from rpc.naming.interface import BadInterface, Interface, interface_from
from rpc.naming.layout import BadLayout, Layout, layout_from
from rpc.naming.preimages import Preimages

MAX_NAME = 200


class BadContract(Exception):
    """A description of a contract that cannot be understood; the text says why."""


@dataclass(frozen=True)
class Contract:
    """`layout` is None where the compiler was not asked for it, `code` where there is none (an interface)."""

    name: str
    interface: Interface
    layout: Layout | None
    code: CodePattern | None

    @cached_property
    def guesses(self) -> Preimages:
        """The preimages that the layout gives away by itself."""
        return Preimages() if self.layout is None else guessable(self.layout)


def contract_from(name: Any, abi: Any, layout: Any, code: Any, immutables: Any = None) -> Contract:
    """A contract from what compilers write; all but the name may be None. Raises BadContract.

    `code` is the runtime bytecode, or Foundry's object with it and its immutables.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadContract(f"the name of a contract is a text of 1 to {MAX_NAME} characters")
    if isinstance(code, Mapping):
        code, immutables = code.get("object"), code.get("immutableReferences")
    if code is not None and not isinstance(code, str):
        raise BadContract(f"the deployedBytecode of {name} is a text of hex digits")
    try:
        return Contract(
            name=name,
            interface=interface_from([] if abi is None else abi),
            layout=None if layout is None else layout_from(layout),
            code=None if code is None else pattern_from(code, immutables),
        )
    except (BadLayout, BadInterface, BadBytecode) as error:
        raise BadContract(f"{name}: {error}") from error
