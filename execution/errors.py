"""Why a transaction cannot be included in the block it was proposed for. The words are geth's, wallets match on them.

`retry` says that the same transaction may fit later.
"""

from collections.abc import Sequence

from chain.addresses import checksummed
from chain.types import Address, Gas, Wei


class ExecutionError(Exception):
    """Something execution cannot do as asked."""


class UnknownStrategy(ExecutionError):
    """A strategy name this project does not know."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown strategy {name!r}: choose one of {', '.join(known)}")


class CannotInclude(ExecutionError):
    """The transaction is invalid on the state where its turn came."""

    retry = False


class NonceTooLow(CannotInclude):
    def __init__(self, address: Address, transaction_nonce: int, state_nonce: int) -> None:
        super().__init__(f"nonce too low: address {checksummed(address)}, tx: {transaction_nonce} state: {state_nonce}")


class NonceTooHigh(CannotInclude):
    retry = True

    def __init__(self, address: Address, transaction_nonce: int, state_nonce: int) -> None:
        super().__init__(
            f"nonce too high: address {checksummed(address)}, tx: {transaction_nonce} state: {state_nonce}"
        )


class FeeCapTooLow(CannotInclude):
    retry = True

    def __init__(self, address: Address, max_fee: Wei, base_fee: Wei) -> None:
        super().__init__(
            "max fee per gas less than block base fee: "
            f"address {checksummed(address)}, maxFeePerGas: {max_fee}, baseFee: {base_fee}"
        )


class TipAboveFeeCap(CannotInclude):
    def __init__(self, address: Address, tip: Wei, max_fee: Wei) -> None:
        super().__init__(
            "max priority fee per gas higher than max fee per gas: "
            f"address {checksummed(address)}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {max_fee}"
        )


class InsufficientFunds(CannotInclude):
    def __init__(self, address: Address, balance: Wei, cost: Wei) -> None:
        super().__init__(
            f"insufficient funds for gas * price + value: address {checksummed(address)} have {balance} want {cost}"
        )


class IntrinsicGasTooLow(CannotInclude):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"intrinsic gas too low: have {gas}, want {needed}")


class FloorGasTooLow(CannotInclude):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"insufficient gas for floor data gas cost: have {gas}, want {needed}")


class GasLimitTooHigh(CannotInclude):
    """Above what one transaction may use, whatever the block's limit is (EIP-7825)."""

    def __init__(self, gas: Gas, limit: Gas) -> None:
        super().__init__(f"transaction gas limit too high (cap: {limit}, tx: {gas})")


class TooManyBlobs(CannotInclude):
    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"blob transaction has too many blobs (limit: {limit}, have: {count})")


class BlobFeeCapTooLow(CannotInclude):
    retry = True

    def __init__(self, cap: Wei, price: Wei) -> None:
        super().__init__(
            f"max fee per blob gas less than block blob gas fee: blobGasFeeCap: {cap}, blobBaseFee: {price}"
        )


class GasLimitReached(CannotInclude):
    """The rest of the block has not that much gas; the next one may."""

    retry = True

    def __init__(self, gas: Gas, left: Gas) -> None:
        super().__init__(f"gas limit reached: have {left}, want {gas}")


class SenderNotAnAccount(CannotInclude):
    def __init__(self, address: Address) -> None:
        super().__init__(f"sender not an eoa: address {checksummed(address)}")


class InitCodeTooLarge(CannotInclude):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"max initcode size exceeded: code size {size} limit {limit}")


class MalformedTransaction(CannotInclude):
    """Not decodable, wrongly signed, for another chain, or of a type this fork does not have."""


class BlobGasLimitReached(CannotInclude):
    """The rest of the block has no room for that many blobs; the next one may."""

    retry = True

    def __init__(self, blob_gas: Gas, left: Gas) -> None:
        super().__init__(f"blob gas limit reached: have {left}, want {blob_gas}")


class EngineFailure(CannotInclude):
    """The engine broke on this transaction. It is evicted, so that one defect does not stop the chain; see the log."""


class NotImpersonated(CannotInclude):
    """Nobody signed the transaction, and its sender is not impersonated."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"nobody signed it, and its sender {checksummed(address)} is not impersonated")


class NonceMaximum(CannotInclude):
    """The nonce has no successor (EIP-2681)."""

    def __init__(self, address: Address, nonce: int) -> None:
        super().__init__(f"nonce has max value: address {checksummed(address)}, nonce: {nonce}")


class CallTimeout(ExecutionError):
    """A call ran longer than it may. Who set the limit knows how long that was."""


class SystemContractFailed(ExecutionError):
    """A contract of the protocol is missing or failed where its success makes a block valid (EIP-7002, EIP-7251)."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"system contract {name}: {reason}: genesis must carry the contracts of its fork")


class InvalidDepositLog(ExecutionError):
    """The deposit contract's log is not laid out as its ABI has it, which makes the block invalid (EIP-6110)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"deposit log of {size} bytes is not laid out as the deposit contract does it")
