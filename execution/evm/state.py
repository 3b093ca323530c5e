"""What a computation sees of its block and of the accounts: py-evm's State, reduced to what its bytecode asks for."""

from chain.console_log import NO_CONSOLE_LOGS, ConsoleLogs, ConsoleRecorder
from chain.fees import blob_base_fee
from chain.messages.execution import BlockEnvironment
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.evm.account_db import AccountDB
from execution.outcome import StateView

MAX_ANCESTOR_DEPTH = 256


def price_of_blob_gas(environment: BlockEnvironment) -> Wei:
    if environment.blob_base_fee is not None:
        return environment.blob_base_fee
    return blob_base_fee(environment.excess_blob_gas, environment.fork)


class ExecutionContext:
    """The block environment under py-evm's names."""

    __slots__ = ("chain_id",)

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id


class State:
    """One transaction's state: its account database and its block.

    py-evm's instructions call it by the names of `eth.vm.state.BaseState`. `deadline` is a time.monotonic() value at
    which a call is given up; transactions have none. `recorder` is there once something was logged.
    """

    recorder: ConsoleRecorder | None = None

    def __init__(
        self, db: AccountDB, view: StateView, environment: BlockEnvironment, deadline: float | None = None
    ) -> None:
        self.db = db
        self.deadline = deadline
        self._view = view
        self._environment = environment
        self.execution_context = ExecutionContext(environment.chain_id)
        self.coinbase: Address = environment.beneficiary
        self.timestamp = environment.timestamp
        self.block_number = environment.number
        self.mix_hash = environment.prev_randao
        self.gas_limit = environment.gas_limit
        self.base_fee = environment.base_fee
        self.get_balance = db.get_balance
        self.get_code = db.get_code
        self.get_code_hash = db.get_code_hash
        self.account_is_empty = db.account_is_empty
        self.is_address_warm = db.is_address_warm
        self.mark_address_warm = db.mark_address_warm

    def log_to_console(self, data: bytes) -> None:
        """A call of console.log's address."""
        if self.recorder is None:
            self.recorder = ConsoleRecorder()
        self.recorder.add(data)

    @property
    def console(self) -> ConsoleLogs:
        """What was logged."""
        return NO_CONSOLE_LOGS if self.recorder is None else self.recorder.logs()

    def pretended_signer(self, signature: bytes) -> Address | None:
        """Whose an operator has said that this signature is."""
        return next((signer for known, signer in self._environment.signatures if known == signature), None)

    @property
    def difficulty(self) -> int:
        """What stood in the place of prevRandao before the merge (EIP-4399)."""
        return int.from_bytes(self.mix_hash, "big")

    @property
    def blob_base_fee(self) -> int:
        return price_of_blob_gas(self._environment)

    def get_ancestor_hash(self, number: int) -> Hash32:
        """The hash of one of the last 256 blocks, else nothing (which the stack takes for zero)."""
        if not 0 < self.block_number - number <= MAX_ANCESTOR_DEPTH:
            return Hash32(b"")
        return self._view.block_hash(BlockNumber(number))
