"""Contracts by the bytecode that they leave on the chain."""

from collections import defaultdict
from collections.abc import Iterable

from rpc.naming.bytecode import without_metadata
from rpc.naming.contract import Contract


class CodeIndex:
    """Finds the contract that runtime code was deployed from."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._by_length: dict[int, list[Contract]] = defaultdict(list)
        for contract in contracts:
            if contract.code is not None:
                self._by_length[len(contract.code.body)].append(contract)

    def find(self, code: bytes) -> Contract | None:
        """Of several that fit, the one compiled from the very same source, then one with a layout, then the first."""
        body, metadata = without_metadata(code)
        fitting = [c for c in self._by_length.get(len(body), ()) if c.code is not None and c.code.matches(body)]
        if not fitting:
            return None
        return max(fitting, key=lambda c: (c.code is not None and c.code.metadata == metadata, c.layout is not None))
