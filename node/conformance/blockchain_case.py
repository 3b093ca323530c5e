"""Blockchain tests: a genesis, blocks in RLP of which some must be refused, and the head and the state at the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from chain import rlp
from chain.accounts import Account
from chain.blocks import Block, decode_block
from chain.errors import ChainError
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import header_of_item
from chain.types import ZERO_HASH, BlockNumber, Hash32
from execution.block_execution import execute_block
from execution.block_rules import MAX_OMMER_AGE, InvalidBlock, check, check_block
from node.conformance.engines import engine_for
from node.conformance.memory_state import MemoryState
from node.conformance.networks import network_named
from node.conformance.outcomes import Failed
from node.conformance.plain import Fields, data, fields_of, number, word
from node.conformance.state_case import state_of

EXCEPTION = "expectException"
HASHES_BACK = 256


@dataclass
class _Chain:
    """The blocks accepted so far, with the state after each, and the head."""

    forks: ForkSchedule
    chain_id: int
    evm: str
    head: Hash32
    blocks: dict[Hash32, Block]
    states: dict[Hash32, MemoryState]
    difficulties: dict[Hash32, int]

    def add(self, encoded: bytes) -> None:
        """Raises InvalidBlock."""
        try:
            block = decode_block(encoded)
        except ChainError as error:
            raise InvalidBlock(f"RLP: {error}") from None
        header = block.header
        check(holds=header.parent_hash in self.blocks, rule="the parent is not known")
        fork = self.forks.at(header.number, header.timestamp)
        check_block(block, list(self._ancestors(header.parent_hash, MAX_OMMER_AGE + 1)), self.forks)
        state = self.states[header.parent_hash].copy()
        state.block_hash_of = lambda wanted: self._hash_of(header.parent_hash, wanted)
        execute_block(block, state, self.chain_id, self.forks, partial(engine_for, evm=self.evm))
        root = state.root()
        check(holds=root == header.state_root, rule=f"state root is 0x{root.hex()}, not 0x{header.state_root.hex()}")
        self._accept(block, state, fork)

    def _accept(self, block: Block, state: MemoryState, fork: Fork) -> None:
        header = block.header
        block_hash, total = header.hash(), self.difficulties[header.parent_hash] + header.difficulty
        self.blocks[block_hash], self.states[block_hash], self.difficulties[block_hash] = block, state, total
        if fork >= Fork.PARIS or total > self.difficulties[self.head]:
            self.head = block_hash

    def _ancestors(self, block_hash: Hash32, count: int) -> Iterator[Block]:
        """A block and those before it."""
        for _ in range(count):
            block = self.blocks.get(block_hash)
            if block is None:
                return
            yield block
            block_hash = block.header.parent_hash

    def _hash_of(self, parent: Hash32, wanted: BlockNumber) -> Hash32:
        for block in self._ancestors(parent, HASHES_BACK):
            if block.header.number == wanted:
                return block.header.hash()
        return ZERO_HASH


@dataclass(frozen=True, slots=True)
class BlockchainCase:
    """One blockchain test as the file has it."""

    name: str
    test: dict[str, Any]

    @property
    def kind(self) -> str:
        return "blockchain"

    @property
    def network(self) -> str:
        return str(self.test.get("network", ""))

    def check(self, evm: str) -> None:
        """Raises Failed and Unsupported."""
        chain = self._genesis(evm)
        for position, block in enumerate(Fields(self.test).rows("blocks")):
            expected = _refusal(block.values)
            try:
                chain.add(data(block["rlp"]))
            except InvalidBlock as reason:
                if expected is None:
                    raise Failed(f"block {position} was refused: {reason}") from None
            else:
                if expected is not None:
                    raise Failed(f"block {position} was accepted, expected {expected}")
        self._check_end(chain)

    def _genesis(self, evm: str) -> _Chain:
        test = Fields(self.test)
        forks = network_named(str(test["network"]))
        try:
            block = decode_block(data(test["genesisRLP"])) if "genesisRLP" in test else self._genesis_of_header()
        except ChainError as error:
            raise Failed(f"the genesis of the test's file is no block: {error}") from None
        header = block.header
        state = state_of(test["pre"], forks.at(0, header.timestamp))
        root = state.root()
        if root != header.state_root:
            raise Failed(f"the state root of genesis is 0x{root.hex()}, expected 0x{header.state_root.hex()}")
        chain_id = word(test.fields("config").get("chainid", "0x1"))
        head = header.hash()
        return _Chain(forks, chain_id, evm, head, {head: block}, {head: state}, {head: header.difficulty})

    def _genesis_of_header(self) -> Block:
        fields = fields_of(Fields(self.test)["genesisBlockHeader"], "genesisBlockHeader")
        names = [name for name in HEADER_FIELDS if name in fields]
        items: list[rlp.Item] = [
            data(fields[name]) if name in BYTES else _shortest(number(fields[name])) for name in names
        ]
        return Block(header_of_item(items), (), (), None)

    def _check_end(self, chain: _Chain) -> None:
        expected = self.test.get("lastblockhash")
        if expected is not None and chain.head != data(expected):
            raise Failed(f"the last block is 0x{chain.head.hex()}, expected {expected}")
        state = chain.states[chain.head]
        if "postStateHash" in self.test and state.root() != data(self.test["postStateHash"]):
            raise Failed(f"state root is 0x{state.root().hex()}, expected {self.test['postStateHash']}")
        if self.test.get("postState"):
            self._check_state(chain, state)

    def _check_state(self, chain: _Chain, state: MemoryState) -> None:
        header = chain.blocks[chain.head].header
        wanted = state_of(Fields(self.test)["postState"], chain.forks.at(header.number, header.timestamp))
        for address in sorted(wanted.accounts.keys() | state.accounts.keys()):
            found, expected = state.account(address), wanted.account(address)
            if found != expected:
                raise Failed(f"account 0x{address.hex()} is {_words(found)}, expected {_words(expected)}")
            if state.slots.get(address, {}) != wanted.slots.get(address, {}):
                raise Failed(f"the storage of 0x{address.hex()} differs")


HEADER_FIELDS = (
    *("parentHash", "uncleHash", "coinbase", "stateRoot", "transactionsTrie", "receiptTrie", "bloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
NUMBERS = frozenset(
    ("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas")
)
BYTES = frozenset(HEADER_FIELDS) - NUMBERS


def _refusal(block: dict[str, Any]) -> str | None:
    """Why the block must be refused; the tests of ethereum/legacytests only leave out what a good block has."""
    named = next((block[key] for key in block if key.startswith(EXCEPTION)), None)
    return named if named is not None or "blockHeader" in block else "a refusal"


def _shortest(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _words(account: Account) -> str:
    return f"nonce {account.nonce}, balance {account.balance}, code hash 0x{account.code_hash.hex()}"
