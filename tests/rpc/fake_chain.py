"""A chain in memory that answers as storage, execution and a validator do, so that rpc can be tested alone.

Nothing is executed: a transfer moves its value and pays its gas, and logs and code are what a test says they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.accounts import Account
from chain.fees import next_base_fee
from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.headers import NO_PARENT, Header
from chain.keccak import keccak256
from chain.links import RequestFailed
from chain.merkle import EMPTY_ROOT
from chain.messages import Message
from chain.messages.execution import BlockNews, ExecutionStatus, ReadExecutionStatus
from chain.messages.faults import Equivocate, SetNetworkFaults
from chain.messages.link import Done
from chain.messages.logs import FoundLog, ReadLogs
from chain.messages.mempool import Admit, Admitted, LeftOut, MempoolPage, ReadMempool, SenderState
from chain.messages.proofs import Proof, ReadProof, SlotProof
from chain.messages.state_pages import ReadStatePage
from chain.messages.storage import (
    BlockApplied,
    NotThere,
    ReadBlock,
    ReadHead,
    ReadHeaders,
    ReadHeight,
    ReadRecord,
    ReadSettings,
    ReadSnapshots,
    ReadState,
    ReadStorageStatus,
    ReadTransaction,
    Snapshots,
    StateValues,
    StorageStatus,
    StoredBlock,
    StoredHeaders,
    StoredHeight,
    StoredRecord,
    StoredSettings,
)
from chain.messages.watching import ConsensusView, ReadConsensus, WatchBlocks
from chain.operations import INITIAL_SETTINGS
from chain.receipts import Log, Receipt, bloom_of
from chain.records import BlockRecord, encode_record
from chain.signing import address_of_private_key
from chain.transactions import DYNAMIC_FEE, Transaction, decode_transaction
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Height, ValidatorIndex, Version, Wei
from rpc.log_filter import matches
from rpc.recent_blocks import transaction_at
from rpc.render import found_logs, place_in
from tests.found_logs import pack_found_logs
from tests.rpc.fake_neighbours import FakeCallers, FakeConsole, FakeLink, FakeProcesses, MemoryFaults

CHAIN_ID = 31337
GWEI = 10**9
ETHER = 10**18
KEYS = tuple(keccak256(b"key %d" % i) for i in range(3))
ALICE, BOB, CAROL = (address_of_private_key(key) for key in KEYS)
TOKEN = Address(b"\x70" * 20)
TOKEN_CODE = bytes.fromhex("6001600055")
GAS_LIMIT = Gas(30_000_000)
GENESIS_TIME = 1_700_000_000
VALIDATORS = 4
FIRST_VERSION = Version(100)
"""Not 0, as a version is no block number: the tests would not notice one taken for the other."""


def genesis_of_the_tests() -> Genesis:
    validators = tuple(ValidatorIdentity(bytes([i]) * 32, 1, Address(bytes([i]) * 20)) for i in range(VALIDATORS))
    header = first_header(Fork.PRAGUE, GENESIS_TIME, GAS_LIMIT, Wei(GWEI))
    return Genesis(CHAIN_ID, only(Fork.PRAGUE), header, (), validators, 3, "hotstuff-2", "weighted")


def transfer(nonce: int, key: bytes = KEYS[0], to: Address | None = BOB, value: int = 1) -> Transaction:
    """A signed dynamic-fee transfer."""
    return Transaction(
        type=DYNAMIC_FEE,
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_fee=Wei(3 * GWEI),
        max_priority_fee=Wei(GWEI),
        gas=Gas(21_000),
        to=to,
        value=Wei(value),
        data=b"",
    ).signed_with(key)


@dataclass(frozen=True)
class State:
    """The accounts, slots and codes after a block."""

    accounts: dict[Address, Account]
    slots: dict[tuple[Address, int], int]
    codes: dict[Hash32, bytes]


def applied_of(block: StoredBlock) -> BlockApplied:
    height = Height(block.header.number)
    return BlockApplied(height, ZERO_HASH, block.version, block.hash, block.header, block.hash, (block.hash,))


class FakeChain:
    """Blocks and states, and the links through which rpc sees them."""

    def __init__(self) -> None:
        self.genesis = genesis_of_the_tests()
        self.settings = INITIAL_SETTINGS
        rich = {address: Account(balance=Wei(10_000 * ETHER)) for address in (ALICE, BOB, CAROL)}
        code_hash = keccak256(TOKEN_CODE)
        token = {TOKEN: Account(nonce=1, code_hash=code_hash)}
        self.states = {FIRST_VERSION: State(rich | token, {(TOKEN, 0): 42}, {code_hash: TOKEN_CODE})}
        self.blocks = [self._sealed(self._header(None), (), (), ())]
        self.storage = FakeLink(self._answer_as_storage)
        self.execution = FakeLink(self._answer_as_execution)
        self.validators = {ValidatorIndex(i): FakeLink(self._answer_as_validator) for i in range(VALIDATORS)}
        self.callers = FakeCallers()
        self.consensus_view = ConsensusView((), ())
        self.records: dict[int, BlockRecord] = {}
        self.faults = MemoryFaults()
        self.processes = FakeProcesses(VALIDATORS)
        self.console = FakeConsole()

    @property
    def head(self) -> StoredBlock:
        return self.blocks[-1]

    def validator(self, index: int) -> FakeLink:
        return self.validators[ValidatorIndex(index)]

    def append(self, *transactions: Transaction, logs: Sequence[Log] = ()) -> StoredBlock:
        """Make a block of the transactions, the first of which emits the logs."""
        header = self._header(self.head)
        receipts, senders = [], []
        state = self.states[self.head.version]
        accounts = dict(state.accounts)
        for i, transaction in enumerate(transactions):
            senders.append(self._move(accounts, transaction, header))
            receipts.append(_receipt(transaction, header, i, tuple(logs) if i == 0 else ()))
        self.states[Version(max(self.states) + 1)] = replace(state, accounts=accounts)
        header = replace(
            header,
            gas_used=Gas(21_000 * len(transactions)),
            transactions_root=keccak256(b"".join(transaction.hash for transaction in transactions)),
            logs_bloom=bloom_of(log for receipt in receipts for log in receipt.logs),
        )
        self.blocks.append(self._sealed(header, transactions, senders, receipts))
        return self.head

    def revert_to(self, number: int) -> None:
        """Forget the blocks after this one. Their versions are not used again."""
        del self.blocks[number + 1 :]

    def news(self, block: StoredBlock | None = None) -> BlockNews:
        """What execution says of a block, the head if none is given."""
        block = block or self.head
        header = block.header
        accounts = self.states[block.version].accounts
        record = self.records.get(header.number)
        return BlockNews(
            height=Height(header.number),
            number=header.number,
            hash=block.hash,
            timestamp=header.timestamp,
            gas_used=header.gas_used,
            gas_limit=header.gas_limit,
            base_fee=header.base_fee or Wei(0),
            next_base_fee=next_base_fee(header),
            included=block.hashes,
            left_out=tuple(
                LeftOut(each.hash, each.left_out.reason, each.left_out.retry)
                for each in (record.transactions if record else ())
                if each.left_out
            ),
            senders=tuple(SenderState(a, accounts[a].nonce, accounts[a].balance) for a in dict.fromkeys(block.senders)),
            committed=Height(header.number),
            strategy="serial",
            retries=0,
            execution_us=1,
        )

    def _header(self, parent: StoredBlock | None) -> Header:
        above = None if parent is None else parent.header
        number = 0 if above is None else above.number + 1
        return Header(
            parent_hash=NO_PARENT if parent is None else parent.hash,
            beneficiary=ZERO_ADDRESS,
            state_root=keccak256(b"state %d" % number),
            transactions_root=EMPTY_ROOT,
            receipts_root=EMPTY_ROOT,
            logs_bloom=bytes(256),
            number=BlockNumber(number),
            gas_limit=GAS_LIMIT,
            gas_used=Gas(0),
            timestamp=GENESIS_TIME + number,
            prev_randao=ZERO_HASH,
            base_fee=Wei(GWEI) if above is None else next_base_fee(above),
        )

    def _sealed(
        self,
        header: Header,
        transactions: Sequence[Transaction],
        senders: Sequence[Address],
        receipts: Sequence[Receipt],
    ) -> StoredBlock:
        return StoredBlock(
            header=header,
            hash=header.hash(),
            version=max(self.states),
            hashes=tuple(transaction.hash for transaction in transactions),
            transactions=tuple(transaction.raw for transaction in transactions),
            senders=tuple(senders),
            receipts=tuple(receipts),
        )

    def _move(self, accounts: dict[Address, Account], transaction: Transaction, header: Header) -> Address:
        sender = transaction.sender()
        cost = transaction.value + 21_000 * transaction.effective_gas_price(header.base_fee or Wei(0))
        payer = accounts.get(sender, Account())
        accounts[sender] = replace(payer, nonce=payer.nonce + 1, balance=Wei(payer.balance - cost))
        if transaction.to is not None:
            payee = accounts.get(transaction.to, Account())
            accounts[transaction.to] = replace(payee, balance=Wei(payee.balance + transaction.value))
        return sender

    def _answer_as_storage(self, message: Message) -> Message:
        match message:
            case ReadSettings():
                return StoredSettings(self.settings)
            case ReadSnapshots():
                return Snapshots(())
            case ReadHead():
                block = self.head
                return applied_of(block)
            case ReadHeight(height):
                one = self.blocks[height]
                return StoredHeight(
                    height, one.header.number, one.hash, one.version, ZERO_HASH, one.hash, 1, undone=False
                )
            case ReadBlock(number, block_hash, with_receipts):
                found = next((b for b in self.blocks if number == b.header.number or block_hash == b.hash), None)
                if found is None:
                    return NotThere()
                return found if with_receipts else replace(found, receipts=())
            case ReadState():
                return self._read_state(message)
            case ReadStatePage():
                raise RequestFailed("NoWholeState", "only single values")
            case ReadProof():
                return self._read_proof(message)
            case ReadTransaction(transaction_hash):
                return self._read_transaction(transaction_hash)
            case ReadHeaders(first, last):
                return StoredHeaders(tuple(b.header for b in self.blocks[first : last + 1]))
            case ReadLogs():
                return pack_found_logs(self._find_logs(message))
            case ReadRecord(number):
                record = self.records.get(number)
                return NotThere() if record is None else StoredRecord(encode_record(record))
            case ReadStorageStatus():
                oldest = BlockNumber(0)
                return StorageStatus(self.head.header.number, self.head.version, oldest, oldest, 1, {"reads": 1}, ())
        raise AssertionError(f"storage was asked {message}")

    def _read_state(self, read: ReadState) -> StateValues:
        assert read.version is not None
        state = self.states[read.version]
        return StateValues(
            read.version,
            tuple(state.accounts.get(address, Account()) for address in read.accounts),
            tuple(state.slots.get(slot, 0) for slot in read.slots),
            tuple(state.codes[code_hash] for code_hash in read.codes),
        )

    def _read_proof(self, read: ReadProof) -> Proof:
        """With nodes that prove nothing."""
        assert read.version is not None
        state = self.states[read.version]
        slots = [SlotProof(number, state.slots.get((read.address, number), 0), (b"\xc2",)) for number in read.slots]
        account = state.accounts.get(read.address, Account())
        return Proof(account, keccak256(b"storage"), (b"\xc0", b"\xc1"), tuple(slots))

    def _read_transaction(self, transaction_hash: Hash32) -> Message:
        for block in self.blocks:
            if transaction_hash in block.hashes:
                index = block.hashes.index(transaction_hash)
                return transaction_at(block, index, sum(len(receipt.logs) for receipt in block.receipts[:index]))
        return NotThere()

    def _find_logs(self, read: ReadLogs) -> tuple[FoundLog, ...]:
        found = [log for b in self.blocks[read.first : read.last + 1] for log in logs_of(b) if matches(log, read)]
        if len(found) > read.limit:
            raise RequestFailed("TooManyLogs", "too many")
        return tuple(found)

    def _answer_as_execution(self, message: Message) -> Message:
        if isinstance(message, ReadExecutionStatus):
            height = Height(self.head.header.number)
            return ExecutionStatus(height, height, "serial", 1, 0, {"retries": 0}, "")
        return Done()

    def _answer_as_validator(self, message: Message) -> Message:
        if isinstance(message, SetNetworkFaults | Equivocate):
            return Done()
        match message:
            case ReadMempool():
                return MempoolPage((), more=False)
            case WatchBlocks():
                return Done()
            case ReadConsensus():
                return self.consensus_view
        return _admitted(message)


def _admitted(message: Message) -> Message:
    assert isinstance(message, Admit)
    return Admitted(())


def _receipt(transaction: Transaction, header: Header, index: int, logs: tuple[Log, ...]) -> Receipt:
    return Receipt(
        type=transaction.type,
        succeeded=True,
        gas_used=Gas(21_000),
        cumulative_gas=Gas(21_000 * (index + 1)),
        logs=logs,
        gas_price=transaction.effective_gas_price(header.base_fee or Wei(0)),
    )


def logs_of(block: StoredBlock) -> list[FoundLog]:
    """All logs of a block with their places."""
    found: list[FoundLog] = []
    for index, receipt in enumerate(block.receipts):
        transaction = decode_transaction(block.transactions[index])
        found += found_logs(receipt.logs, place_in(block, index), transaction.hash, len(found))
    return found
