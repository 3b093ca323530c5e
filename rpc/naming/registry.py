"""All contracts this node has heard of: from the folders of compilers, and by tandem_registerContract."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from chain.types import Address
from rpc.naming.code_index import CodeIndex
from rpc.naming.contract import BadContract, Contract, contract_from
from rpc.naming.folders import ArtifactFolders

MAX_REGISTERED = 1_000
MAX_REGISTERED_BYTES = 32 * 1024 * 1024
"""Of all descriptions together, as JSON: they lie in memory, and each registration writes them anew."""
SHOWN_COMPLAINTS = 3
DESCRIPTION = ("name", "abi", "storageLayout", "deployedBytecode", "immutableReferences")
NO_LAYOUTS = (
    'no contract in %s has a storage layout, so that slots stay numbers: add extra_output = ["storageLayout"] to '
    "foundry.toml and build again, or give Hardhat's whole artifacts folder, with build-info"
)

log = logging.getLogger("tandem.rpc")


class ContractsStore(Protocol):
    """Where registered contracts outlive this process."""

    def read(self) -> list[Any]:
        """What was written last, as JSON values."""
        ...

    def write(self, contracts: list[Any]) -> None:
        """All or nothing. Raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """A contract as somebody described it; `address` is None where its bytecode says which it is."""

    address: Address | None
    contract: Contract
    described: Mapping[str, Any]
    size: int

    @classmethod
    def from_description(cls, address: Address | None, value: Mapping[str, Any]) -> "Registered":
        """Raises BadContract."""
        described = {name: value[name] for name in DESCRIPTION if value.get(name) is not None}
        contract = contract_from(*(described.get(name) for name in DESCRIPTION))
        if address is None and contract.code is None:
            raise BadContract(f"{contract.name}: give its address, or its deployedBytecode to know it by")
        return cls(address, contract, described, len(json.dumps(described)))

    def as_json(self) -> dict[str, Any]:
        return {"address": None if self.address is None else "0x" + self.address.hex(), **self.described}

    def replaces(self, other: "Registered") -> bool:
        """Whether both say what one and the same contract is."""
        if self.address is not None or other.address is not None:
            return self.address == other.address
        return self.contract.code == other.contract.code


class Registry:
    """Finds contracts by address and code. The newest registered first, then what lies in the folders."""

    def __init__(self, folders: Sequence[Path] = (), store: ContractsStore | None = None) -> None:
        self._paths = folders
        self._folders = ArtifactFolders(folders)
        self._store = store
        self._registered = [_registered_from(value) for value in store.read()] if store is not None else []
        self._index = CodeIndex(())
        self._reading = asyncio.Lock()
        self._reindex()

    @property
    def has_folders(self) -> bool:
        return bool(self._paths)

    async def find(self, codes: Mapping[Address, bytes]) -> dict[Address, Contract]:
        """The contracts at these addresses, which have this code: those that are known."""
        found = self._known(codes)
        if self._paths and len(found) < len(codes):
            async with self._reading:
                changed = await asyncio.to_thread(self._folders.is_changed)
                if changed:
                    await self._read_folders()
            if changed:
                found = self._known(codes)
        return found

    async def open(self) -> None:
        """Read the folders, and say what is wrong with them."""
        async with self._reading:
            await self._read_folders()
        contracts = [contract for contract in self._folders.contracts if contract.code is not None]
        if self._paths and not any(contract.layout for contract in contracts):
            shown = ", ".join(map(str, self._paths))
            log.warning(NO_LAYOUTS if contracts else "there are no contracts in %s yet: build them", shown)

    def register(self, address: Address | None, description: Mapping[str, Any]) -> Contract:
        """Know this contract too, from here on. Raises BadContract, and OSError if it cannot be kept."""
        new = Registered.from_description(address, description)
        kept = [other for other in self._registered if not new.replaces(other)]
        kept = _within_limits([new, *kept])
        if self._store is not None:
            self._store.write([each.as_json() for each in kept])
        self._registered = kept
        self._reindex()
        return new.contract

    def _known(self, codes: Mapping[Address, bytes]) -> dict[Address, Contract]:
        by_address = {each.address: each.contract for each in reversed(self._registered)}
        found = {address: by_address.get(address) or self._index.find(code) for address, code in codes.items()}
        return {address: contract for address, contract in found.items() if contract is not None}

    async def _read_folders(self) -> None:
        complaints = await asyncio.to_thread(self._folders.refresh)
        self._reindex()
        if complaints:
            shown = "; ".join(complaints[:SHOWN_COMPLAINTS])
            more = len(complaints) - SHOWN_COMPLAINTS
            log.warning("artifacts left out: %s%s", shown, f"; and {more} more" if more > 0 else "")

    def _reindex(self) -> None:
        self._index = CodeIndex([*(each.contract for each in self._registered), *self._folders.contracts])


def _within_limits(registered: Sequence[Registered]) -> list[Registered]:
    """Those that may be kept, of which the newest come first; the log tells of the others."""
    sizes = accumulate(each.size for each in registered)
    kept = [each for each, size in zip(registered, sizes, strict=True) if size <= MAX_REGISTERED_BYTES]
    kept = kept[:MAX_REGISTERED]
    for gone in registered[len(kept) :]:
        log.warning("the registered contract %s is forgotten: too many were registered after it", gone.contract.name)
    return kept


def _registered_from(value: Any) -> Registered:
    """One as it was written. Raises BadContract."""
    try:
        address = None if value["address"] is None else Address(bytes.fromhex(value["address"].removeprefix("0x")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadContract(f"{value!r:.80} is no registered contract") from error
    return Registered.from_description(address, value)
