"""py-evm as it comes, one transaction after the other: what other runs of a block case are compared with.

Its own interpreter, account database and transaction executor; only which keys it writes is noted on the way. It ends
with Prague, and pays neither rewards nor uncles here.
"""

import warnings
from collections.abc import Collection
from typing import Any

from eth.constants import BLANK_ROOT_HASH
from eth.db.account import AccountDB
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks import (
    BerlinVM,
    ByzantiumVM,
    CancunVM,
    ConstantinopleVM,
    FrontierVM,
    HomesteadVM,
    IstanbulVM,
    LondonVM,
    ParisVM,
    PetersburgVM,
    PragueVM,
    ShanghaiVM,
    SpuriousDragonVM,
    TangerineWhistleVM,
)
from eth.vm.message import Message
from eth_utils import ValidationError

from chain.block_case import BlockCase, CaseTransaction
from chain.forks import Fork
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY_STORAGE,
    HISTORY_WINDOW_BLOCKS,
    SYSTEM_ADDRESS,
    WITHDRAWAL_REQUESTS,
)
from chain.types import ZERO_HASH, Address, BlockNumber, Hash32
from execution.errors import ExecutionError
from execution.outcome import Slot
from execution.state_after import StateAfter
from execution.system_calls import SYSTEM_CALL_GAS

VMS: dict[Fork, Any] = {
    Fork.FRONTIER: FrontierVM,
    Fork.HOMESTEAD: HomesteadVM,
    Fork.TANGERINE_WHISTLE: TangerineWhistleVM,
    Fork.SPURIOUS_DRAGON: SpuriousDragonVM,
    Fork.BYZANTIUM: ByzantiumVM,
    Fork.CONSTANTINOPLE: ConstantinopleVM,
    Fork.PETERSBURG: PetersburgVM,
    Fork.ISTANBUL: IstanbulVM,
    Fork.BERLIN: BerlinVM,
    Fork.LONDON: LondonVM,
    Fork.PARIS: ParisVM,
    Fork.SHANGHAI: ShanghaiVM,
    Fork.CANCUN: CancunVM,
    Fork.PRAGUE: PragueVM,
}
HASHES_BACK = 256
BEACON_RING = 8191


class PyEvmRefused(ExecutionError):
    """py-evm does not include a transaction of the block."""

    def __init__(self, position: int, reason: Exception) -> None:
        super().__init__(f"py-evm refuses transaction {position}: {reason}")


class WatchedAccountDB(AccountDB):
    """py-evm's account database, which remembers what is written."""

    def __init__(self, db: AtomicDB, state_root: bytes = BLANK_ROOT_HASH) -> None:
        super().__init__(db, state_root)
        self.written: dict[Address, None] = {}
        self.written_slots: dict[Slot, None] = {}

    def _set_account(self, address: Address, account: Any) -> None:
        self.written[address] = None
        super()._set_account(address, account)

    def delete_account(self, address: Address) -> None:
        self.written[address] = None
        super().delete_account(address)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        self.written_slots[(address, slot)] = None
        super().set_storage(address, slot, value)


def run_serially(case: BlockCase, left_out: Collection[int] = ()) -> StateAfter:
    """The state after the case without the transactions at the positions `left_out`. Raises PyEvmRefused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SELFDESTRUCT, each time it is run
        return _run(case, left_out)


def _run(case: BlockCase, left_out: Collection[int]) -> StateAfter:
    vm = VMS[case.environment.fork]
    db = AtomicDB()
    state_class = type("WatchedState", (vm._state_class,), {"account_db_class": WatchedAccountDB})
    state = state_class(db, _context(case), BLANK_ROOT_HASH)
    _fill(state, case)
    _start(state, case)
    for position, transaction in enumerate(case.transactions):
        if position in left_out:
            continue
        _apply(vm, state, position, transaction)
    for address, amount in case.credits.items():
        state.delta_balance(address, amount)
    if case.environment.fork >= Fork.PRAGUE:
        for contract in (WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS):
            _call(state, contract.address)
    return _after(case, state)


def _apply(vm: Any, state: Any, position: int, transaction: CaseTransaction) -> None:
    try:
        state.apply_transaction(vm.get_transaction_builder().decode(transaction.raw))
    except (PyEVMError, ValidationError) as error:
        raise PyEvmRefused(position, error) from None
    state.lock_changes()


def _context(case: BlockCase) -> ExecutionContext:
    environment = case.environment
    numbers = range(environment.number - 1, max(-1, environment.number - 1 - HASHES_BACK), -1)
    return ExecutionContext(
        coinbase=environment.beneficiary,
        timestamp=environment.timestamp,
        block_number=environment.number,
        difficulty=int.from_bytes(environment.prev_randao, "big") if environment.fork < Fork.PARIS else 0,
        mix_hash=environment.prev_randao,
        gas_limit=environment.gas_limit,
        prev_hashes=[case.block_hashes.get(BlockNumber(number), ZERO_HASH) for number in numbers],
        chain_id=environment.chain_id,
        base_fee_per_gas=environment.base_fee,
        excess_blob_gas=environment.excess_blob_gas,
    )


def _fill(state: Any, case: BlockCase) -> None:
    for address, account in case.accounts.items():
        state.set_nonce(address, account.nonce)
        state.set_balance(address, account.balance)
        if account.code:
            state.set_code(address, account.code)
        for slot, value in account.slots.items():
            state.set_storage(address, slot, value)
    state.lock_changes()
    state._account_db.written.clear()
    state._account_db.written_slots.clear()


def _start(state: Any, case: BlockCase) -> None:
    """What py-evm's blocks do before their first transaction."""
    environment = case.environment
    if environment.fork >= Fork.CANCUN and state.get_code(BEACON_ROOTS.address):
        ring = environment.timestamp % BEACON_RING
        state.set_storage(BEACON_ROOTS.address, ring, environment.timestamp)
        root = int.from_bytes(case.parent_beacon_root, "big")
        state.set_storage(BEACON_ROOTS.address, ring + BEACON_RING, root)
    if environment.fork >= Fork.PRAGUE and state.get_code(HISTORY_STORAGE.address):
        parent = int.from_bytes(case.block_hashes[BlockNumber(environment.number - 1)], "big")
        state.set_storage(HISTORY_STORAGE.address, (environment.number - 1) % HISTORY_WINDOW_BLOCKS, parent)
    state.lock_changes()


def _call(state: Any, contract: Address) -> None:
    message = Message(
        gas=SYSTEM_CALL_GAS,
        to=contract,
        sender=SYSTEM_ADDRESS,
        value=0,
        data=b"",
        code=state.get_code(contract),
        code_address=contract,
    )
    context = state.get_transaction_context_class()(gas_price=0, origin=SYSTEM_ADDRESS)
    state.computation_class.apply_computation(state, message, context)
    state.lock_changes()


def _after(case: BlockCase, state: Any) -> StateAfter:
    db = state._account_db
    accounts = {
        address: (db.get_nonce(address), db.get_balance(address), Hash32(db.get_code_hash(address)))
        for address in list(db.written)
    }
    return StateAfter(case, accounts, {key: db.get_storage(*key) for key in list(db.written_slots)})
