"""A transaction from its checks to its fee: what py-evm's TransactionExecutor does, with its gaps closed.

The gaps: the calldata floor against the gas limit (EIP-7623), senders with code (EIP-3607), the last nonce (EIP-2681),
the size of init code (EIP-3860) and creations onto storage (EIP-7610). The fee is not paid to the beneficiary here: it
is part of the outcome, so that no two transactions conflict over it.
"""

from typing import NamedTuple

from eth.exceptions import ContractCreationCollision

from chain.console_log import NO_CONSOLE_LOGS
from chain.fees import BLOB_GAS_PER_BLOB, max_transaction_blobs
from chain.forks import Fork
from chain.intrinsic_gas import floor_gas, intrinsic_gas, max_gas, max_init_code_size
from chain.messages.calls import Runnable
from chain.messages.execution import BlockEnvironment
from chain.signing import InvalidSignature
from chain.transactions import BLOB, FIRST_FORKS, SET_CODE, Authorization, Transaction
from chain.types import Address, Gas, Wei
from execution.errors import (
    BlobFeeCapTooLow,
    FeeCapTooLow,
    FloorGasTooLow,
    GasLimitTooHigh,
    InitCodeTooLarge,
    InsufficientFunds,
    IntrinsicGasTooLow,
    MalformedTransaction,
    NonceMaximum,
    NonceTooHigh,
    NonceTooLow,
    SenderNotAnAccount,
    TipAboveFeeCap,
    TooManyBlobs,
)
from execution.evm.call_instructions import DELEGATION_PREFIX, MAX_NONCE, contract_address, delegate_of
from execution.evm.computation import Computation, TransactionContext
from execution.evm.failures import words
from execution.evm.message import Message
from execution.evm.state import State, price_of_blob_gas
from execution.outcome import Outcome, StateView

BLOB_HASH_VERSION = 1
EXISTING_AUTHORITY_REFUND = 12_500  # EIP-7702


class Result(NamedTuple):
    """What a transaction or call came to, before anybody asks what it read and wrote.

    `peak_gas` is what was used before refunds.
    """

    frame: Computation
    gas_used: Gas
    peak_gas: Gas


class Executor:
    """Runs one transaction, or one unsigned message in its shape, on one view."""

    def __init__(
        self,
        computation: type[Computation],
        environment: BlockEnvironment,
        view: StateView,
        *,
        deadline: float | None = None,
        asks_no_fees: bool = False,
    ) -> None:
        """With `asks_no_fees` a transaction that offers nothing for its gas is run whatever the base fee is."""
        self._asks_no_fees = asks_no_fees
        self._computation = computation
        self._environment = environment
        self.db = computation.account_db(view, computation.warm())
        if computation.warms_beneficiary:
            self.db.warm[environment.beneficiary] = True
        self.state = State(self.db, view, environment, deadline)

    def execute(self, transaction: Transaction, sender: Address) -> Outcome:
        """Raises a subclass of CannotInclude; then nothing has happened."""
        self.check(transaction, sender)
        return self.unchecked(transaction, sender)

    def unchecked(self, transaction: Transaction, sender: Address) -> Outcome:
        """As `execute`, without the checks that a call is spared: those of the nonce and of the sender itself."""
        return self.outcome(transaction, self.run(transaction, sender))

    def outcome(self, transaction: Transaction, result: Result) -> Outcome:
        """What the run, which must be this executor's, means for the block."""
        frame, environment = result.frame, self._environment
        if environment.fork < Fork.SPURIOUS_DRAGON:
            self.db.touch(environment.beneficiary)
        gas_price = transaction.effective_gas_price(environment.base_fee)
        destroyed = environment.beneficiary in self.db.destroyed
        return Outcome(
            succeeded=frame.error is None,
            gas_used=result.gas_used,
            gas_price=gas_price,
            # A beneficiary that the transaction itself created and destroyed takes its fee with it.
            fee=Wei(0 if destroyed else max(gas_price - environment.base_fee, 0) * result.gas_used),
            logs=tuple(self.db.logs),
            output=frame.output,
            error=words(frame.error),
            contract=frame.address if transaction.to is None else None,
            reads=self.db.reads,
            writes=self.db.writes(),
            console=NO_CONSOLE_LOGS if self.state.recorder is None else self.state.recorder.logs(),
        )

    def run(self, transaction: Runnable, sender: Address) -> Result:
        """Everything but the nonce's and the sender's own checks, which a call is spared."""
        environment, db = self._environment, self.db
        intrinsic, floor = self._check_fees_and_gas(transaction, sender)
        gas_price = transaction.effective_gas_price(environment.base_fee)
        db.delta_balance(sender, -transaction.gas * gas_price - self._blob_fee(transaction))
        nonce = db.get_nonce(sender)
        db.set_nonce(sender, (nonce + 1) & MAX_NONCE)  # a call may pretend the highest one, which 0 follows in geth
        for authorization in transaction.authorizations:
            self._delegate(authorization)
        context = TransactionContext(sender, gas_price, transaction.blob_hashes)
        frame = self._run_message(transaction, sender, nonce, Gas(transaction.gas - intrinsic), context)
        peak = transaction.gas - frame.gas
        used = max(peak - min(db.refund, peak // self._computation.refund_quotient), floor)
        db.delta_balance(sender, (transaction.gas - used) * gas_price)
        return Result(frame, Gas(used), Gas(max(peak, floor)))

    def check(self, transaction: Transaction, sender: Address) -> None:
        """What a transaction must keep and a call need not. Raises a subclass of CannotInclude."""
        self.check_nonce(transaction, sender)
        if not transaction.is_impersonated:
            self._check_sender(sender)
        limit = max_gas(self._environment.fork)
        if limit is not None and transaction.gas > limit:
            raise GasLimitTooHigh(transaction.gas, limit)

    def check_nonce(self, transaction: Transaction, sender: Address) -> None:
        nonce = self.db.get_nonce(sender)
        if transaction.nonce < nonce:
            raise NonceTooLow(sender, transaction.nonce, nonce)
        if transaction.nonce > nonce:
            raise NonceTooHigh(sender, transaction.nonce, nonce)
        if nonce >= MAX_NONCE:
            raise NonceMaximum(sender, nonce)

    def _check_sender(self, sender: Address) -> None:
        code = self.db.get_code(sender)
        if code and (delegate_of(code) is None or not self._computation.follows_delegations):
            raise SenderNotAnAccount(sender)

    def _check_fees_and_gas(self, transaction: Runnable, sender: Address) -> tuple[Gas, Gas]:
        """The intrinsic gas and the floor, once everything that can keep a message from running is ruled out."""
        environment = self._environment
        check_type(transaction, environment)
        if transaction.max_priority_fee > transaction.max_fee:
            raise TipAboveFeeCap(sender, transaction.max_priority_fee, transaction.max_fee)
        is_free = self._asks_no_fees and not transaction.max_fee
        if transaction.max_fee < environment.base_fee and not is_free:
            raise FeeCapTooLow(sender, transaction.max_fee, environment.base_fee)
        blob_gas = BLOB_GAS_PER_BLOB * len(transaction.blob_hashes)
        cost = Wei(transaction.gas * transaction.max_fee + transaction.value + blob_gas * transaction.max_blob_fee)
        if not self.db.can_pay(sender, cost):
            raise InsufficientFunds(sender, Wei(self.db.get_balance(sender)), cost)
        intrinsic, floor = intrinsic_gas(transaction, environment.fork), floor_gas(transaction, environment.fork)
        if transaction.gas < intrinsic:
            raise IntrinsicGasTooLow(transaction.gas, intrinsic)
        if transaction.gas < floor:
            raise FloorGasTooLow(transaction.gas, floor)
        limit = max_init_code_size(environment.fork)
        if transaction.to is None and limit is not None and len(transaction.data) > limit:
            raise InitCodeTooLarge(len(transaction.data), limit)
        return intrinsic, floor

    def _blob_fee(self, transaction: Runnable) -> Wei:
        """What the blobs cost; it is burnt."""
        blob_gas = BLOB_GAS_PER_BLOB * len(transaction.blob_hashes)
        return Wei(blob_gas * self.state.blob_base_fee if blob_gas else 0)

    def _delegate(self, authorization: Authorization) -> None:
        """Sets an authority's code, if the authorization is good; a bad one is passed over (EIP-7702)."""
        if authorization.chain_id not in (0, self._environment.chain_id) or authorization.nonce >= MAX_NONCE:
            return
        try:
            authority = authorization.authority()
        except InvalidSignature:
            return
        db = self.db
        db.warm_up(authority)
        code = db.get_code(authority)
        if (code and delegate_of(code) is None) or db.get_nonce(authority) != authorization.nonce:
            return
        if db.account_exists(authority):
            db.add_refund(EXISTING_AUTHORITY_REFUND)
        db.set_code(authority, DELEGATION_PREFIX + authorization.address if any(authorization.address) else b"")
        db.increment_nonce(authority)

    def _run_message(
        self, transaction: Runnable, sender: Address, nonce: int, gas: Gas, context: TransactionContext
    ) -> Computation:
        db = self.db
        db.warm_up(sender)
        for entry in transaction.access_list:
            db.warm_up(entry.address)
            for slot in entry.slots:
                db.warm_up((entry.address, slot))
        if transaction.to is None:
            return self._create(transaction, sender, contract_address(sender, nonce), gas, context)
        db.warm_up(transaction.to)
        code, code_address = db.get_code(transaction.to), transaction.to
        delegate = delegate_of(code) if self._computation.follows_delegations else None
        if delegate is not None:
            db.warm_up(delegate)
            code, code_address = db.get_code(delegate), delegate
        message = Message(
            gas=gas,
            sender=sender,
            storage_address=transaction.to,
            code_address=code_address,
            value=transaction.value,
            data=transaction.data,
            code=code,
            is_delegation=delegate is not None,
        )
        return self._computation.apply_message(self.state, message, context)

    def _create(
        self, transaction: Runnable, sender: Address, created: Address, gas: Gas, context: TransactionContext
    ) -> Computation:
        self.db.warm_up(created)
        message = Message(
            gas=gas,
            sender=sender,
            storage_address=created,
            code_address=created,
            value=transaction.value,
            data=b"",
            code=transaction.data,
            is_create=True,
        )
        if self.db.is_taken(created):
            return self._computation.failed(self.state, message, context, ContractCreationCollision(created.hex()))
        return self._computation.apply_create_message(self.state, message, context)


def check_type(transaction: Runnable, environment: BlockEnvironment) -> None:
    """Raises MalformedTransaction for what this fork or this project does not run."""
    kind, chain_id = transaction.type, transaction.chain_id
    if environment.fork < FIRST_FORKS[kind]:
        raise MalformedTransaction("transaction type not supported")
    if kind == BLOB:
        check_blobs(transaction, environment)
    if kind == SET_CODE and not transaction.authorizations:
        raise MalformedTransaction("EIP-7702 transaction with empty auth list")
    if kind == SET_CODE and transaction.to is None:
        raise MalformedTransaction("EIP-7702 transaction cannot be used to create contract")
    if chain_id is not None and environment.fork < Fork.SPURIOUS_DRAGON:
        raise MalformedTransaction("a signature with a chain id (EIP-155), which no fork before Spurious Dragon has")
    if chain_id is not None and chain_id != environment.chain_id:
        raise MalformedTransaction(f"invalid chain id for signer: have {chain_id} want {environment.chain_id}")


def check_blobs(transaction: Runnable, environment: BlockEnvironment) -> None:
    """Raises MalformedTransaction, TooManyBlobs and BlobFeeCapTooLow (EIP-4844, EIP-7594)."""
    if transaction.to is None:
        raise MalformedTransaction("blob transaction of type create")
    if not transaction.blob_hashes:
        raise MalformedTransaction("blob transaction missing blob hashes")
    for i, blob_hash in enumerate(transaction.blob_hashes):
        if blob_hash[0] != BLOB_HASH_VERSION:
            raise MalformedTransaction(f"blob {i} has invalid hash version")
    limit = max_transaction_blobs(environment.fork)
    if len(transaction.blob_hashes) > limit:
        raise TooManyBlobs(len(transaction.blob_hashes), limit)
    price = price_of_blob_gas(environment)
    if transaction.max_blob_fee < price:
        raise BlobFeeCapTooLow(transaction.max_blob_fee, price)
