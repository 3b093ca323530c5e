"""Why a transaction cannot be included in the block it was proposed for. The words are geth's, wallets match on them.

`retry` says that the same transaction may fit later.
"""

from chain.types import Address, Gas, Wei


class ExecutionError(Exception):
    """Something execution cannot do as asked."""


class CannotInclude(ExecutionError):
    """The transaction is invalid on the state where its turn came."""

    retry = False


class NonceTooLow(CannotInclude):
    def __init__(self, address: Address, transaction_nonce: int, state_nonce: int) -> None:
        super().__init__(f"nonce too low: address 0x{address.hex()}, tx: {transaction_nonce} state: {state_nonce}")


class NonceTooHigh(CannotInclude):
    retry = True

    def __init__(self, address: Address, transaction_nonce: int, state_nonce: int) -> None:
        super().__init__(f"nonce too high: address 0x{address.hex()}, tx: {transaction_nonce} state: {state_nonce}")


class FeeCapTooLow(CannotInclude):
    retry = True

    def __init__(self, address: Address, max_fee: Wei, base_fee: Wei) -> None:
        super().__init__(
            "max fee per gas less than block base fee: "
            f"address 0x{address.hex()}, maxFeePerGas: {max_fee}, baseFee: {base_fee}"
        )


class TipAboveFeeCap(CannotInclude):
    def __init__(self, address: Address, tip: Wei, max_fee: Wei) -> None:
        super().__init__(
            "max priority fee per gas higher than max fee per gas: "
            f"address 0x{address.hex()}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {max_fee}"
        )


class InsufficientFunds(CannotInclude):
    def __init__(self, address: Address, balance: Wei, cost: Wei) -> None:
        super().__init__(
            f"insufficient funds for gas * price + value: address 0x{address.hex()} have {balance} want {cost}"
        )


class IntrinsicGasTooLow(CannotInclude):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"intrinsic gas too low: have {gas}, want {needed}")


class FloorGasTooLow(CannotInclude):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"insufficient gas for floor data gas cost: have {gas}, want {needed}")


class GasLimitReached(CannotInclude):
    """The rest of the block has not that much gas; the next one may."""

    retry = True

    def __init__(self, gas: Gas, left: Gas) -> None:
        super().__init__(f"gas limit reached: have {left}, want {gas}")


class SenderNotAnAccount(CannotInclude):
    def __init__(self, address: Address) -> None:
        super().__init__(f"sender not an eoa: address 0x{address.hex()}")


class InitCodeTooLarge(CannotInclude):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"max initcode size exceeded: code size {size} limit {limit}")


class MalformedTransaction(CannotInclude):
    """Not decodable, wrongly signed, for another chain, or of a type this fork does not have."""
