"""One frame: py-evm's Computation, with a list of integers for a stack and `interpreter` for a loop."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from eth.exceptions import OutOfGas, ReservedBytesInCode, VMError
from eth.vm.forks.prague.computation import PragueComputation as PragueRules

from chain.console_log import CONSOLE_ADDRESS
from chain.types import Address, Hash32
from execution.evm import call_instructions, instruction_sets, precompiles
from execution.evm.account_db import AccountDB
from execution.evm.compiler import BlockCompiler
from execution.evm.failures import CodeStoreOutOfGas, CodeTooLarge
from execution.evm.interpreter import check_clock, run
from execution.evm.message import Message
from execution.evm.program import Compilation, InstructionSet, Program, ProgramCache
from execution.evm.state import State

MAX_CODE_SIZE = 24_576  # EIP-170
CODE_BYTE_GAS = 200
MEMORY_WORD_GAS = 3
MEMORY_QUADRATIC_DIVISOR = 512


def programs_of(instruction_set: InstructionSet) -> ProgramCache:
    return ProgramCache(instruction_set, Compilation(BlockCompiler(instruction_set)))


def with_programs(rules: "type[Computation]", programs: ProgramCache) -> "type[Computation]":
    """The same rules with programs of their own."""
    return type(rules.__name__, (rules,), {"programs": programs})


def with_precompiles(rules: "type[Computation]", precompiled: Mapping[Address, Any]) -> "type[Computation]":
    """The same rules with precompiles elsewhere. Warm are the addresses where they stand by the rules, as with geth."""
    return type(rules.__name__, (rules,), {"precompiled": dict(precompiled), "warm_addresses": rules.warm()})


class TransactionContext:
    """What every frame of a transaction sees of it, under py-evm's names."""

    __slots__ = ("blob_versioned_hashes", "gas_price", "origin")

    def __init__(self, origin: Address, gas_price: int, blob_hashes: tuple[Hash32, ...] = ()) -> None:
        self.origin = origin
        self.gas_price = gas_price
        self.blob_versioned_hashes = blob_hashes


class Computation(PragueRules):
    """A frame under Prague's rules."""

    programs: ClassVar[ProgramCache] = programs_of(instruction_sets.PRAGUE)
    precompiled: ClassVar[dict[Address, Any]] = precompiles.PRAGUE
    follows_delegations: ClassVar[bool] = True
    warm_addresses: ClassVar[Collection[Address] | None] = None
    """What is warm in every transaction, if not the addresses in `precompiled`."""
    account_db: ClassVar[type[AccountDB]] = AccountDB
    limits_init_code: ClassVar[bool] = True
    """EIP-3860: its size, and a price for its words."""
    refuses_ef_code: ClassVar[bool] = True
    """EIP-3541."""
    limits_code: ClassVar[bool] = True
    """EIP-170."""
    warms_beneficiary: ClassVar[bool] = True
    """EIP-3651."""
    refund_quotient: ClassVar[int] = 5
    """At most this part of the gas used is given back (EIP-3529)."""
    first_nonce: ClassVar[int] = 1
    """Of a contract (EIP-161)."""

    code_to_run = call_instructions.code_to_run
    value_gas = call_instructions.value_gas
    pass_gas = call_instructions.pass_gas
    gas_for_creation = call_instructions.gas_for_creation

    output: bytes = b""
    error: VMError | None = None

    def __init__(self, state: State, message: Message, transaction_context: TransactionContext) -> None:
        self.state = state
        self.msg = message
        self.transaction_context = transaction_context
        self.address = message.storage_address
        self.gas = message.gas
        self.stack: list[int] = []
        self.memory = self._memory = bytearray()
        self.return_data = b""

    @classmethod
    def warm(cls) -> Collection[Address]:
        """What is warm in every transaction."""
        return cls.precompiled if cls.warm_addresses is None else cls.warm_addresses

    @classmethod
    def failed(
        cls, state: State, message: Message, transaction_context: TransactionContext, error: VMError
    ) -> "Computation":
        """A frame that never ran."""
        frame = cls(state, message, transaction_context)
        frame._fail(error)
        return frame

    @classmethod
    def apply_message(cls, state: State, message: Message, transaction_context: TransactionContext) -> "Computation":
        """Runs a message whose value its sender can pay. A failure undoes all its changes."""
        checkpoint = state.db.record()
        frame = cls(state, message, transaction_context)
        if message.value and message.should_transfer_value:
            state.db.transfer(message.sender, message.storage_address, message.value)
        frame._execute()
        if frame.error is not None:
            state.db.discard(checkpoint)
        return frame

    @classmethod
    def apply_create_message(
        cls, state: State, message: Message, transaction_context: TransactionContext
    ) -> "Computation":
        """Creates a contract at an address that is free, with the code that the init code returns."""
        checkpoint = state.db.record()
        state.db.create_account(message.storage_address, cls.first_nonce)
        frame = cls.apply_message(state, message, transaction_context)
        if frame.error is None:
            try:
                frame._store_code()
            except VMError as error:
                frame._fail(error)
        if frame.error is not None:
            state.db.discard(checkpoint)
        return frame

    def _execute(self) -> None:
        if self.state.deadline is not None:
            check_clock(self.state.deadline)
        message = self.msg
        try:
            precompile = self.precompiled.get(message.code_address)
            if precompile is not None and not message.is_create:
                if not message.is_delegation:
                    precompile(self)
            elif message.code:
                self.go_through(self.programs.program(message.code))
            elif message.code_address == CONSOLE_ADDRESS:
                self.state.log_to_console(message.data)
        except VMError as error:
            self._fail(error)

    def go_through(self, program: Program) -> None:
        """Runs the frame's code until it stops."""
        run(self, program)

    def _fail(self, error: VMError) -> None:
        self.error = error
        if error.burns_gas:
            self.gas = 0
        if error.erases_return_data:
            self.output = b""

    def _store_code(self) -> None:
        """Pays for and sets the code of a new contract."""
        code = self.output
        if len(code) > MAX_CODE_SIZE and self.limits_code:
            raise CodeTooLarge(f"code of {len(code)} bytes")
        if code[:1] == b"\xef" and self.refuses_ef_code:
            raise ReservedBytesInCode("code that begins with 0xef")
        if self.gas < CODE_BYTE_GAS * len(code):
            raise CodeStoreOutOfGas("the code cannot be paid for")
        self.gas -= CODE_BYTE_GAS * len(code)
        if code:
            self.state.db.set_code(self.address, code)

    @property
    def address_word(self) -> int:
        """The account that this frame acts as, as a word of the stack."""
        return int.from_bytes(self.address, "big")

    def charge(self, amount: int) -> None:
        """Takes gas. Raises OutOfGas."""
        if amount > self.gas:
            raise OutOfGas("out of gas")
        self.gas -= amount

    def extend_memory(self, start: int, size: int) -> None:
        """Charges for and makes room for `size` bytes at `start`; none for no bytes."""
        length = len(self.memory)
        if not size or start + size <= length:
            return
        words, had = (start + size + 31) // 32, length // 32
        self.charge(
            MEMORY_WORD_GAS * (words - had)
            + words * words // MEMORY_QUADRATIC_DIVISOR
            - had * had // MEMORY_QUADRATIC_DIVISOR
        )
        self.memory.extend(bytes(32 * words - length))

    # What py-evm's own instructions and precompiles call

    def consume_gas(self, amount: int, reason: str) -> None:
        self.charge(amount)

    def memory_read_bytes(self, start_position: int, size: int) -> bytes:
        return bytes(self.memory[start_position : start_position + size])

    def memory_write(self, start_position: int, size: int, value: bytes) -> None:
        if size:
            self.memory[start_position : start_position + size] = value

    def memory_copy(self, destination: int, source: int, length: int) -> None:
        if length:
            self.memory[destination : destination + length] = self.memory[source : source + length]

    def stack_pop1_int(self) -> int:
        return self.stack.pop()

    def stack_pop1_bytes(self) -> bytes:
        return self.stack.pop().to_bytes(32, "big")

    def stack_pop_ints(self, num_items: int) -> tuple[int, ...]:
        return tuple([self.stack.pop() for _ in range(num_items)])

    def stack_push_int(self, value: int) -> None:
        self.stack.append(value)

    def stack_push_bytes(self, value: bytes) -> None:
        self.stack.append(int.from_bytes(value, "big"))


class CancunComputation(Computation):
    """A frame under Cancun's rules."""

    programs: ClassVar[ProgramCache] = programs_of(instruction_sets.CANCUN)
    precompiled: ClassVar[dict[Address, Any]] = precompiles.CANCUN
    follows_delegations: ClassVar[bool] = False


class OsakaComputation(Computation):
    """A frame under Osaka's rules. py-evm has no such fork; what it changes is in the tables."""

    programs: ClassVar[ProgramCache] = programs_of(instruction_sets.OSAKA)
    precompiled: ClassVar[dict[Address, Any]] = precompiles.OSAKA
