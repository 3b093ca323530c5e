"""What methods ask: the names of contracts, of their functions and of the variables in their slots."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from chain.links import RequestFailed
from chain.types import Address, Hash32, Version
from rpc.naming.contract import Contract
from rpc.naming.interface import Interface, function_called
from rpc.naming.layout import Type
from rpc.naming.namespaces import BEACON_SLOT
from rpc.naming.preimages import Preimages, origin_of
from rpc.naming.proxies import POINTING_SLOTS, address_in, delegate_in, implementation_slot
from rpc.naming.registry import Registry
from rpc.naming.unnamed import described
from rpc.naming.variables import changed_bits, length_at, places_at, variables_at
from rpc.state_reader import StateReader


@dataclass(frozen=True, slots=True)
class Names:
    """Names at some addresses. `contracts` are theirs, first the one whose code runs, then the proxy itself."""

    contracts: Mapping[Address, tuple[Contract, ...]]
    preimages: Preimages

    def contract(self, address: Address) -> str | None:
        """The name of the contract there, behind its proxy if it has one."""
        known = self.contracts.get(address)
        return known[0].name if known else None

    def function(self, address: Address, data: bytes) -> str | None:
        """The function that calldata calls there, such as transfer(address,uint256)."""
        return function_called(data, self.interface(address).functions)

    def interface(self, address: Address) -> Interface:
        """The functions and errors of the contract there, its proxy's included."""
        functions: dict[bytes, str] = {}
        errors: dict[bytes, str] = {}
        for contract in reversed(self.contracts.get(address, ())):
            functions |= contract.interface.functions
            errors |= contract.interface.errors
        return Interface(functions, errors)

    def variable(self, address: Address, slot: int, before: int | None = None, after: int | None = None) -> str | None:
        """What lies in a slot, such as Token.balances[0x…]; without a layout what it was hashed from, if anything.

        Of several variables in a slot those that differ between the values `before` and `after`, else all.
        """
        known = self.contracts.get(address, ())
        for contract in known:
            if contract.layout is not None:
                origin = origin_of(slot, (self.preimages, contract.guesses))
                found = variables_at(contract.layout, origin, changed_bits(before, after))
                if found:
                    return ", ".join(f"{contract.name}.{variable}" for variable in found)
        words = described(slot, origin_of(slot, (self.preimages,)))
        return f"{known[0].name}: {words}" if known and words else words

    def places(self, address: Address, slot: int) -> dict[str, tuple[int, int]]:
        """Of each variable in a slot where it begins and its size, in bits; none where no layout tells."""
        for contract in self.contracts.get(address, ()):
            if contract.layout is not None:
                found = places_at(contract.layout, origin_of(slot, (self.preimages, contract.guesses)))
                if found:
                    return {f"{contract.name}.{variable}": place for variable, place in found.items()}
        return {}

    def length(self, address: Address, slot: int) -> Type | None:
        """The dynamic array, string or bytes whose length is in a slot, by the first layout that knows the slot."""
        for contract in self.contracts.get(address, ()):
            if contract.layout is not None:
                found = length_at(contract.layout, origin_of(slot, (self.preimages, contract.guesses)))
                if found is not None:
                    return found
        return None


class Naming:
    """Makes names from the registry, the state, and what was hashed."""

    def __init__(self, state: StateReader, registry: Registry, newest: Callable[[], Version]) -> None:
        self.registry = registry
        self._state = state
        self._newest = newest
        self._preimages = Preimages()

    def learn(self, preimages: Mapping[Hash32, bytes]) -> None:
        """Remember what a block's transactions hashed: true for every block."""
        self._preimages.add(preimages)

    def preimage(self, digest: Hash32) -> bytes | None:
        """What was hashed to that, if it was learnt."""
        return self._preimages.of(digest)

    async def names(self, version: Version, addresses: Iterable[Address]) -> Names:
        """The names at these addresses as of this version of the state, of the newest one where it is pruned."""
        wanted = tuple(dict.fromkeys(addresses))
        try:
            return await self._names(version, wanted)
        except RequestFailed as refusal:
            if refusal.error != "StatePruned":
                raise
            return await self._names(self._newest(), wanted)

    async def _names(self, version: Version, wanted: tuple[Address, ...]) -> Names:
        codes = await self._codes(version, wanted)
        behind = await self._implementations(version, codes)
        codes_behind = await self._codes(version, tuple(dict.fromkeys(behind.values())))
        found = await self.registry.find(codes | codes_behind)
        contracts = {}
        for address in codes:
            known = (found.get(behind[address]) if address in behind else None, found.get(address))
            contracts[address] = tuple(contract for contract in known if contract is not None)
        return Names(contracts, self._preimages)

    async def _codes(self, version: Version, addresses: tuple[Address, ...]) -> dict[Address, bytes]:
        """The code of those that have any."""
        codes = await asyncio.gather(*(self._state.code(version, address) for address in addresses))
        return {address: code for address, code in zip(addresses, codes, strict=True) if code}

    async def _implementations(self, version: Version, codes: Mapping[Address, bytes]) -> dict[Address, Address]:
        """Whose code the proxies among these run."""
        found = await asyncio.gather(*(self._implementation(version, *each) for each in codes.items()))
        return {proxy: behind for proxy, behind in zip(codes, found, strict=True) if behind is not None}

    async def _implementation(self, version: Version, address: Address, code: bytes) -> Address | None:
        cloned = delegate_in(code)
        if cloned is not None:
            return cloned
        words = await asyncio.gather(*(self._state.slot(version, address, slot) for slot in POINTING_SLOTS))
        for slot, word in zip(POINTING_SLOTS, words, strict=True):
            pointed = address_in(word)
            if pointed is not None:
                return await self._behind_beacon(version, pointed) if slot == BEACON_SLOT else pointed
        return None

    async def _behind_beacon(self, version: Version, beacon: Address) -> Address | None:
        known = await self.registry.find({beacon: await self._state.code(version, beacon)})
        slot = implementation_slot(known[beacon]) if beacon in known else None
        return None if slot is None else address_in(await self._state.slot(version, beacon, slot))
