"""The rules of the forks before Cancun, from the newest to the oldest: each says what its successor changed.

Chains of ours begin with Cancun. These are for blocks of mainnet and for official tests, and are loaded on first use.
"""

from typing import Any, ClassVar

from eth.exceptions import OutOfGas
from eth.vm.forks.berlin.opcodes import BERLIN_OPCODES
from eth.vm.forks.byzantium.opcodes import BYZANTIUM_OPCODES
from eth.vm.forks.constantinople.opcodes import CONSTANTINOPLE_OPCODES
from eth.vm.forks.frontier.opcodes import FRONTIER_OPCODES
from eth.vm.forks.homestead.opcodes import HOMESTEAD_OPCODES
from eth.vm.forks.istanbul.opcodes import ISTANBUL_OPCODES
from eth.vm.forks.london.opcodes import LONDON_OPCODES
from eth.vm.forks.paris.opcodes import PARIS_OPCODES
from eth.vm.forks.petersburg.opcodes import PETERSBURG_OPCODES
from eth.vm.forks.shanghai.opcodes import SHANGHAI_OPCODES
from eth.vm.forks.spurious_dragon.opcodes import SPURIOUS_DRAGON_OPCODES
from eth.vm.forks.tangerine_whistle.opcodes import TANGERINE_WHISTLE_OPCODES

from chain.forks import Fork
from chain.types import Address
from execution.evm import earlier_instructions as own
from execution.evm import precompiles
from execution.evm.account_db import AccountDB
from execution.evm.call_instructions import CALL_STIPEND_GAS, CALL_VALUE_GAS
from execution.evm.computation import CODE_BYTE_GAS, CancunComputation, Computation, TransactionContext, programs_of
from execution.evm.earlier_accounts import SweepingAccountDB
from execution.evm.instruction_sets import instruction_set
from execution.evm.instructions import NEW_ACCOUNT_GAS, FrameFunction
from execution.evm.message import Message
from execution.evm.program import ProgramCache
from execution.evm.state import State

SSTORE, SELF_DESTRUCT = 0x55, 0xFF


def _programs(py_evm_opcodes: dict[int, Any], *ours: dict[int, FrameFunction]) -> ProgramCache:
    replaced = {opcode: function for table in ours for opcode, function in table.items()}
    return programs_of(instruction_set(py_evm_opcodes, replaced))


_SELF_DESTRUCT_OF_LONDON: dict[int, FrameFunction] = {SELF_DESTRUCT: own.self_destruct_of_london}
_BEFORE_BERLIN = own.BEFORE_BERLIN | {SELF_DESTRUCT: own.self_destruct_of_spurious_dragon}


class ShanghaiComputation(CancunComputation):
    """Without transient storage; self-destruction destroys every contract; empty accounts go when they are touched."""

    account_db: ClassVar[type[AccountDB]] = SweepingAccountDB
    programs: ClassVar[ProgramCache] = _programs(SHANGHAI_OPCODES, _SELF_DESTRUCT_OF_LONDON)
    precompiled: ClassVar[dict[Address, Any]] = precompiles.BERLIN

    @classmethod
    def apply_message(cls, state: State, message: Message, transaction_context: TransactionContext) -> Computation:
        checkpoint = state.db.record()
        state.db.touch(message.storage_address)
        frame = super().apply_message(state, message, transaction_context)
        if frame.error is not None:
            state.db.discard(checkpoint)
        return frame


class ParisComputation(ShanghaiComputation):
    """Without PUSH0 and without limits to init code."""

    programs: ClassVar[ProgramCache] = _programs(PARIS_OPCODES, _SELF_DESTRUCT_OF_LONDON)
    limits_init_code: ClassVar[bool] = False
    warms_beneficiary: ClassVar[bool] = False


class LondonComputation(ParisComputation):
    """With a difficulty in place of prevRandao."""

    programs: ClassVar[ProgramCache] = _programs(LONDON_OPCODES, _SELF_DESTRUCT_OF_LONDON)


class BerlinComputation(LondonComputation):
    """Without a base fee, with larger refunds."""

    programs: ClassVar[ProgramCache] = _programs(
        BERLIN_OPCODES, {SSTORE: own.storage_store_of_berlin, SELF_DESTRUCT: own.self_destruct_of_berlin}
    )
    refuses_ef_code: ClassVar[bool] = False
    refund_quotient: ClassVar[int] = 2


class IstanbulComputation(BerlinComputation):
    """Without warm and cold accounts and slots."""

    programs: ClassVar[ProgramCache] = _programs(
        ISTANBUL_OPCODES, _BEFORE_BERLIN, {SSTORE: own.storage_store_of_istanbul}
    )
    precompiled: ClassVar[dict[Address, Any]] = precompiles.ISTANBUL

    def code_to_run(self, source: Address) -> tuple[bytes, Address, bool]:
        """Touching the account is paid for with the call."""
        return self.state.db.get_code(source), source, False


class PetersburgComputation(IstanbulComputation):
    """Other prices, and none of net gas metering."""

    programs: ClassVar[ProgramCache] = _programs(PETERSBURG_OPCODES, _BEFORE_BERLIN, {SSTORE: own.storage_store})
    precompiled: ClassVar[dict[Address, Any]] = precompiles.BYZANTIUM


class ConstantinopleComputation(PetersburgComputation):
    """With the net gas metering that Petersburg took back (EIP-1283)."""

    programs: ClassVar[ProgramCache] = _programs(
        CONSTANTINOPLE_OPCODES, _BEFORE_BERLIN, {SSTORE: own.storage_store_of_constantinople}
    )


class ByzantiumComputation(PetersburgComputation):
    """Without shifts, CREATE2 and EXTCODEHASH."""

    programs: ClassVar[ProgramCache] = _programs(BYZANTIUM_OPCODES, _BEFORE_BERLIN, {SSTORE: own.storage_store})


class SpuriousDragonComputation(ByzantiumComputation):
    """Without static calls, reverts and the curve's precompiled contracts."""

    programs: ClassVar[ProgramCache] = _programs(SPURIOUS_DRAGON_OPCODES, _BEFORE_BERLIN, {SSTORE: own.storage_store})
    precompiled: ClassVar[dict[Address, Any]] = precompiles.FRONTIER


class TangerineWhistleComputation(SpuriousDragonComputation):
    """With empty accounts, which every message brings about; without a limit to code."""

    account_db: ClassVar[type[AccountDB]] = AccountDB
    programs: ClassVar[ProgramCache] = _programs(
        TANGERINE_WHISTLE_OPCODES,
        own.BEFORE_BERLIN,
        {SSTORE: own.storage_store, SELF_DESTRUCT: own.self_destruct_of_tangerine_whistle},
    )
    limits_code: ClassVar[bool] = False
    first_nonce: ClassVar[int] = 0

    def value_gas(self, value: int, recipient: Address | None) -> int:
        """A call brings its recipient into existence even if it sends nothing."""
        gas = CALL_VALUE_GAS if value else 0
        if recipient is not None and self.state.db.account_is_empty(recipient):
            gas += NEW_ACCOUNT_GAS
        return gas


class HomesteadComputation(TangerineWhistleComputation):
    """With prices that were too low, and calls that get what they ask for or fail (before EIP-150)."""

    programs: ClassVar[ProgramCache] = _programs(
        HOMESTEAD_OPCODES, own.BEFORE_BERLIN, {SSTORE: own.storage_store, SELF_DESTRUCT: own.self_destruct}
    )

    def pass_gas(self, requested: int, value: int, extra: int) -> int:
        if self.gas < requested + extra:
            raise OutOfGas("out of gas")
        self.gas -= requested + extra
        return requested + CALL_STIPEND_GAS if value else requested

    def gas_for_creation(self) -> int:
        return self.gas


class FrontierComputation(HomesteadComputation):
    """Without DELEGATECALL; a contract whose code cannot be paid for is there without code (before EIP-2)."""

    programs: ClassVar[ProgramCache] = _programs(
        FRONTIER_OPCODES, own.BEFORE_BERLIN, {SSTORE: own.storage_store, SELF_DESTRUCT: own.self_destruct}
    )

    def _store_code(self) -> None:
        if self.gas < CODE_BYTE_GAS * len(self.output):
            self.output = b""
        else:
            super()._store_code()


COMPUTATIONS: dict[Fork, type[Computation]] = {
    Fork.FRONTIER: FrontierComputation,
    Fork.HOMESTEAD: HomesteadComputation,
    Fork.TANGERINE_WHISTLE: TangerineWhistleComputation,
    Fork.SPURIOUS_DRAGON: SpuriousDragonComputation,
    Fork.BYZANTIUM: ByzantiumComputation,
    Fork.CONSTANTINOPLE: ConstantinopleComputation,
    Fork.PETERSBURG: PetersburgComputation,
    Fork.ISTANBUL: IstanbulComputation,
    Fork.BERLIN: BerlinComputation,
    Fork.LONDON: LondonComputation,
    Fork.PARIS: ParisComputation,
    Fork.SHANGHAI: ShanghaiComputation,
}
