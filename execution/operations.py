"""Carries out operations: each alone, on what storage has applied, so that nothing else is under way meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.accounts import THERE_WITHOUT_CODE, Account, AccountChange
from chain.codec import MessageError, decode_message, encode_value
from chain.genesis import Genesis
from chain.keccak import EMPTY_HASH, keccak256
from chain.links import RequestFailed
from chain.merkle import EMPTY_ROOT
from chain.messages.mempool import LeftOut
from chain.messages.proofs import Proof, ReadProof
from chain.messages.storage import (
    ApplyBlock,
    ApplyOperation,
    ChangedAccounts,
    NotThere,
    ReadBlock,
    ReadChangedAccounts,
    ReadHeight,
    ReadSnapshot,
    Revert,
    StoredBlock,
    StoredHeight,
    StoredSnapshot,
    TakenSnapshot,
)
from chain.operations import (
    MAX_MINED_BLOCKS,
    BlockSettings,
    DropTransactions,
    LoadAccounts,
    Mine,
    Operation,
    OperationDone,
    OperationRecord,
    OrderedOperation,
    RevertToBlock,
    RevertToSnapshot,
    SetAccount,
    TakeSnapshot,
    ordered,
)
from chain.proposals import BlockInputs, Proposal
from chain.system_contracts import CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS, SystemContract
from chain.transactions import UINT256_LIMIT
from chain.types import Address, BlockNumber, Hash32, Height, Version, Wei
from execution.assembly import ExecutedBlock, RanBlock
from execution.block_settings import (
    OperationFailed,
    Place,
    TooFarBack,
    oldest_kept,
    settings_after,
    settings_back,
    settings_to_keep,
)
from execution.processor import BlockProcessor
from execution.reader import UnexpectedAnswer
from execution.senders import SignedTransaction
from execution.storage_requests import StorageRequests

NOTHING = ordered(0, Mine(0)).hash()
"""Stands for an operation that cannot be decoded."""
REQUEST_CONTRACTS = (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS)
"""A block in which a call of these fails is invalid (EIP-7002, EIP-7251)."""


class OutOfSequence(OperationFailed):
    def __init__(self, sequence: int, expected: int) -> None:
        super().__init__(f"operation {sequence} where operation {expected} is next: another one took its place")


class OperationsSwitchedOff(OperationFailed):
    def __init__(self) -> None:
        super().__init__("this chain was made with --no-dev-api: nothing but transactions changes it")


class BlockNotThere(OperationFailed):
    def __init__(self, number: int) -> None:
        super().__init__(f"block {number} is not there")


class BalanceTooHigh(OperationFailed):
    def __init__(self, balance: int) -> None:
        super().__init__(f"a balance of {balance} wei: it must stay below 2**256")


class CodeNeeded(OperationFailed):
    def __init__(self, contract: SystemContract) -> None:
        super().__init__(f"the code of {contract.name} cannot be another: every block calls it, and must succeed")


class StateNotKept(OperationFailed):
    """Storage has pruned the state to go back to; the message is storage's."""


class TooManyBlocks(OperationFailed):
    def __init__(self, blocks: int) -> None:
        super().__init__(f"{blocks} blocks at once: at most {MAX_MINED_BLOCKS} are made by one operation")


@dataclass(frozen=True, slots=True)
class RanOperation:
    """What an operation does, before it is applied. `changed` are accounts whose nonce or balance may be another."""

    proposal: Proposal
    done: OperationDone
    settings: BlockSettings
    position: int
    blocks: tuple[RanBlock, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    revert: Revert | None = None
    taken: TakenSnapshot | None = None
    changed: tuple[Address, ...] = ()
    dropped: tuple[Hash32, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutedOperation:
    """An operation as execution leaves it: what storage applies, and what is told of it then."""

    apply: ApplyOperation
    blocks: tuple[ExecutedBlock, ...]
    record: OperationRecord
    position: int

    @property
    def height(self) -> Height:
        return self.apply.height

    @property
    def blocks_to_apply(self) -> tuple[ApplyBlock, ...]:
        return self.apply.blocks

    @property
    def replaces_state(self) -> bool:
        return bool(self.apply.changes) or self.apply.revert is not None


class Operations:
    """One after the other, each once all blocks before it are applied."""

    def __init__(self, genesis: Genesis, processor: BlockProcessor, storage: StorageRequests) -> None:
        self._allowed = genesis.dev_api
        self._processor = processor
        self._storage = storage

    async def run(self, proposal: Proposal, signed: Sequence[SignedTransaction]) -> RanOperation:
        """An operation that fails takes its turn and changes nothing else. Raises as BlockProcessor.run."""
        inputs = self._processor.inputs_of_next(proposal)
        await self._processor.parent_applied()
        settings = self._processor.settings
        operation_hash = NOTHING
        try:
            envelope, operation = _decoded(proposal)
            operation_hash = envelope.hash()
            if not self._allowed:
                raise OperationsSwitchedOff
            if envelope.sequence != settings.operations:
                raise OutOfSequence(envelope.sequence, settings.operations)
            settings = replace(settings, operations=settings.operations + 1)
            ran = await self._carry_out(proposal, inputs, operation, operation_hash, settings, signed)
        except (OperationFailed, MessageError) as error:
            done = OperationDone(operation_hash, 0, str(error))
            ran = RanOperation(proposal, done, settings, self._processor.position)
        self._processor.begin_operation(ran.settings)
        return ran

    async def assemble(self, ran: RanOperation) -> ExecutedOperation:
        """What storage applies, with the blocks that the operation makes."""
        blocks = tuple([await self._processor.assemble(block) for block in ran.blocks])
        record = OperationRecord(ran.done, ran.changed, ran.dropped, ran.revert is not None)
        applied = ApplyOperation(
            height=ran.proposal.height,
            proposal=ran.proposal.id,
            blocks=tuple([block.apply for block in blocks]),
            changes=ran.changes,
            revert=ran.revert,
            taken=ran.taken,
            settings=ran.settings,
            record=encode_value(record),
        )
        return ExecutedOperation(applied, blocks, record, ran.position)

    async def _carry_out(
        self,
        proposal: Proposal,
        inputs: BlockInputs,
        operation: Operation,
        operation_hash: Hash32,
        settings: BlockSettings,
        signed: Sequence[SignedTransaction],
    ) -> RanOperation:
        """Raises OperationFailed."""
        done = OperationDone(operation_hash, 0, "")
        ran = RanOperation(proposal, done, settings, self._processor.position)
        match operation:
            case SetAccount():
                change = await self._change_of(operation)
                return replace(ran, changes=(change,), changed=(operation.address,))
            case LoadAccounts(accounts):
                changes = await self._loaded(accounts)
                return replace(ran, changes=changes, changed=tuple([change.address for change in changes]))
            case Mine():
                return await self._mine(ran, inputs, operation, signed)
            case DropTransactions(hashes):
                return replace(ran, dropped=hashes)
            case TakeSnapshot():
                snapshot = settings.snapshots + 1
                settings = replace(settings, snapshots=snapshot)
                taken = TakenSnapshot(snapshot, settings_to_keep(settings, inputs))
                return replace(ran, settings=settings, taken=taken, done=replace(done, value=snapshot))
            case RevertToSnapshot():
                return await self._revert_to_snapshot(ran, inputs, operation)
            case RevertToBlock():
                return await self._revert_to_block(ran, operation)
            case _:
                return replace(ran, settings=settings_after(operation, settings, inputs, self._processor.parent))

    async def _loaded(self, accounts: Sequence[SetAccount]) -> tuple[AccountChange, ...]:
        await self._processor.know_accounts([account.address for account in accounts])
        changes = []
        for account in accounts:
            before = await self._processor.account(account.address)
            changes.append(await self._change_of(replace(account, nonce=max(before.nonce, account.nonce or 0))))
        return tuple(changes)

    async def _change_of(self, operation: SetAccount) -> AccountChange:
        before = await self._processor.account(operation.address)
        code_hash = before.code_hash if operation.code is None else keccak256(operation.code)
        for contract in REQUEST_CONTRACTS:
            if operation.address == contract.address and code_hash != before.code_hash:
                raise CodeNeeded(contract)
        balance = before.balance if operation.balance is None else operation.balance
        nonce = before.nonce if operation.nonce is None else operation.nonce
        balance = Wei(balance + operation.added_balance)
        if balance >= UINT256_LIMIT:
            raise BalanceTooHigh(balance)
        account = Account(nonce, balance, code_hash)
        slots = dict(operation.slots)
        keeps_slots = account.is_empty and not before.is_empty and await self._has_slots(operation.address)
        if keeps_slots or (account.is_empty and any(slots.values())):
            account = replace(account, code_hash=THERE_WITHOUT_CODE)
        code = operation.code if code_hash != EMPTY_HASH else None
        return AccountChange(operation.address, account, slots, code=code)

    async def _has_slots(self, address: Address) -> bool:
        """Whether the account has storage, which an empty account would lose. On a fork it may have some, unread."""
        try:
            proof = await self._storage.request(ReadProof(None, address, ()))
        except RequestFailed as refusal:
            if refusal.error != "NoProofOnFork":
                raise
            return True
        if not isinstance(proof, Proof):
            raise UnexpectedAnswer("Proof", proof)
        return proof.storage_root != EMPTY_ROOT

    async def _mine(
        self, ran: RanOperation, inputs: BlockInputs, mine: Mine, signed: Sequence[SignedTransaction]
    ) -> RanOperation:
        if not 0 < mine.blocks <= MAX_MINED_BLOCKS:
            raise TooManyBlocks(mine.blocks)
        self._processor.settings = ran.settings
        blocks = []
        changed: dict[Address, None] = {}
        for index in range(mine.blocks):
            place = Place(index, mine.interval)
            block = await self._processor.run_block(ran.proposal, inputs, signed if index == 0 else (), place)
            blocks.append(block)
            changed.update(dict.fromkeys(state.address for state in (await self._processor.told(block)).states))
        return replace(
            ran,
            settings=self._processor.settings,
            position=self._processor.position,
            blocks=tuple(blocks),
            changed=tuple(changed),
        )

    async def _revert_to_snapshot(
        self, ran: RanOperation, inputs: BlockInputs, operation: RevertToSnapshot
    ) -> RanOperation:
        """A snapshot's state is kept for as long as it is there."""
        stored = await self._storage.request(ReadSnapshot(operation.snapshot))
        if isinstance(stored, NotThere):
            return ran
        if not isinstance(stored, StoredSnapshot):
            raise UnexpectedAnswer("StoredSnapshot", stored)
        settings = settings_back(stored.settings, ran.settings, inputs)
        ran = replace(ran, settings=settings, done=replace(ran.done, value=1))
        return await self._back(ran, Revert(stored.number, stored.version, operation.snapshot), operation.history)

    async def _revert_to_block(self, ran: RanOperation, operation: RevertToBlock) -> RanOperation:
        """Raises TooFarBack. The first block's state can always be gone back to."""
        if operation.fresh:
            kept = ran.settings
            fresh = BlockSettings(
                operations=kept.operations, snapshots=kept.snapshots, oldest=kept.oldest, resets=kept.resets + 1
            )
            first = await self._way_to_the_first_block()
            return await self._back(replace(ran, settings=fresh), first, operation.history)
        revert = await self._way_to(operation.number)
        newest = self._processor.parent.number
        oldest = max(operation.oldest, oldest_kept(ran.settings, newest, operation.history))
        if revert.number < oldest:
            raise TooFarBack(revert.number, oldest)
        return await self._back(ran, revert, operation.history)

    async def _way_to_the_first_block(self) -> Revert:
        first = await self._storage.request(ReadHeight(Height(0)))
        if not isinstance(first, StoredHeight):
            raise UnexpectedAnswer("StoredHeight", first)
        return Revert(first.number, first.version, 1)

    async def _way_to(self, number: BlockNumber) -> Revert:
        """Raises BlockNotThere."""
        block = await self._storage.request(ReadBlock(number, None, with_receipts=False))
        if not isinstance(block, StoredBlock):
            raise BlockNotThere(number)
        return Revert(number, block.version, 0)

    async def _back(self, ran: RanOperation, revert: Revert, history: int | None) -> RanOperation:
        """Raises StateNotKept, where storage has pruned more than it was asked to keep."""
        try:
            changed = await self._storage.request(ReadChangedAccounts(Version(revert.version)))
        except RequestFailed as refusal:
            if refusal.error != "StatePruned":
                raise
            raise StateNotKept(refusal.text) from refusal
        if not isinstance(changed, ChangedAccounts):
            raise UnexpectedAnswer("ChangedAccounts", changed)
        oldest = min(oldest_kept(ran.settings, self._processor.parent.number, history), revert.number)
        settings = replace(ran.settings, oldest=oldest)
        return replace(ran, settings=settings, revert=revert, changed=changed.addresses)


def dropped_by(record: OperationRecord) -> tuple[LeftOut, ...]:
    return tuple([LeftOut(hash_, "dropped on request", retry=False) for hash_ in record.dropped])


def _decoded(proposal: Proposal) -> tuple[OrderedOperation, Operation]:
    """Raises MessageError."""
    assert proposal.operation is not None
    envelope = decode_message(proposal.operation)
    if not isinstance(envelope, OrderedOperation):
        raise MessageError(f"a {type(envelope).__name__} where an operation belongs")
    return envelope, envelope.decoded()
