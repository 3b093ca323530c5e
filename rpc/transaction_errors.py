"""Why a transaction is not admitted, in geth's words (core/error.go, core/txpool/errors.go): wallets match on them.

JSON-RPC has one code for all of them, -32000, as geth answers them.
"""

from chain.addresses import checksummed
from chain.forks import Fork
from chain.types import Address, Gas, Hash32, Wei
from rpc.errors import ServerError, TransactionRejected


class UndecodableTransaction(TransactionRejected):
    """The bytes are not a signed transaction."""


class TransactionTypeNotSupported(TransactionRejected):
    def __init__(self, why: str) -> None:
        super().__init__(f"transaction type not supported: {why}")


class BeforeTheMerge(TransactionRejected):
    """A real chain whose schedule has no merge can only be read."""

    def __init__(self, fork: Fork) -> None:
        super().__init__(f"this chain takes no transactions: its rules ({fork.label}) are from before the merge")


class OversizedData(TransactionRejected):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"oversized data: transaction size {size}, limit {limit}")


class InitCodeTooLarge(TransactionRejected):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"max initcode size exceeded: code size {size} limit {limit}")


class GasLimitTooHigh(TransactionRejected):
    """Above what one transaction may use, whatever the block's limit is (EIP-7825)."""

    def __init__(self, gas: Gas, limit: Gas) -> None:
        super().__init__(f"transaction gas limit too high (cap: {limit}, tx: {gas})")


class ExceedsBlockGasLimit(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("exceeds block gas limit")


class TipAboveFeeCap(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("max priority fee per gas higher than max fee per gas")


class InvalidSender(TransactionRejected):
    def __init__(self, why: str) -> None:
        super().__init__(f"invalid sender: {why}")


class WrongChainId(InvalidSender):
    def __init__(self, have: int, want: int) -> None:
        super().__init__(f"invalid chain id for signer: have {have} want {want}")


class NonceAtMaximum(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("nonce has max value")


class IntrinsicGasTooLow(TransactionRejected):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"intrinsic gas too low: gas {gas}, minimum needed {needed}")


class FloorGasTooLow(TransactionRejected):
    def __init__(self, gas: Gas, needed: Gas) -> None:
        super().__init__(f"insufficient gas for floor data gas cost: gas {gas}, minimum needed {needed}")


class TipBelowMinimum(TransactionRejected):
    def __init__(self, tip: Wei, minimum: Wei) -> None:
        super().__init__(f"transaction gas price below minimum: gas tip cap {tip}, minimum needed {minimum}")


class BlobFeeCapBelowMinimum(TransactionRejected):
    def __init__(self, fee_cap: Wei, minimum: int) -> None:
        super().__init__(f"transaction gas price below minimum: blob fee cap {fee_cap}, minimum needed {minimum}")


class MissingSidecar(TransactionRejected):
    """A blob transaction without its blobs."""

    def __init__(self) -> None:
        super().__init__("missing sidecar in blob transaction")


class BlobsDiffer(TransactionRejected):
    """The blobs are not those that the transaction names."""


class BlobLimitExceeded(TransactionRejected):
    def __init__(self, blobs: int, limit: int) -> None:
        super().__init__(f"transaction blob limit exceeded: blob count {blobs}, limit {limit}")


class WrongSidecarFormat(TransactionRejected):
    def __init__(self, why: str) -> None:
        super().__init__(f"Wrong sidecar format: {why}")


class UnprovenBlobs(TransactionRejected):
    """The blobs are not what their commitments say."""

    def __init__(self) -> None:
        super().__init__("KZG verification error: can't verify opening proof")


class NoAuthorizations(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("set code tx must have at least one authorization tuple")


class SenderNotAnAccount(TransactionRejected):
    """A contract cannot send (EIP-3607)."""

    def __init__(self, address: Address, code_hash: Hash32) -> None:
        super().__init__(f"sender not an eoa: address {checksummed(address)}, codehash: 0x{code_hash.hex()}")


class AlreadyKnown(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("already known")


class AddressReserved(TransactionRejected):
    """Blob transactions and others of one sender do not wait beside each other (geth's core/txpool/reserver.go)."""

    def __init__(self) -> None:
        super().__init__("address already reserved")


class NonceTooLow(TransactionRejected):
    def __init__(self, next_nonce: int, nonce: int) -> None:
        super().__init__(f"nonce too low: next nonce {next_nonce}, tx nonce {nonce}")


class InsufficientFunds(TransactionRejected):
    """The balance does not cover the transaction alone."""

    def __init__(self, balance: Wei, cost: Wei) -> None:
        super().__init__(
            f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {cost - balance}"
        )


class InsufficientFundsForAll(TransactionRejected):
    """The balance does not cover the transaction together with the sender's other pending ones."""

    def __init__(self, balance: Wei, queued_cost: Wei, cost: Wei) -> None:
        super().__init__(
            "insufficient funds for gas * price + value: "
            f"balance {balance}, queued cost {queued_cost}, tx cost {cost}, overshot {queued_cost + cost - balance}"
        )


class InsufficientFundsForReplacement(TransactionRejected):
    """The balance does not cover what the replacement costs more than the transaction it replaces."""

    def __init__(self, balance: Wei, queued_cost: Wei, bump: Wei) -> None:
        super().__init__(
            "insufficient funds for gas * price + value: "
            f"balance {balance}, queued cost {queued_cost}, tx bumped {bump}, overshot {queued_cost + bump - balance}"
        )


class ReplacementUnderpriced(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("replacement transaction underpriced")


class AccountLimitExceeded(TransactionRejected):
    """Too many transactions of one sender wait behind a nonce gap."""

    def __init__(self, pooled: int) -> None:
        super().__init__(f"account limit exceeded: pooled {pooled} txs")


class PoolFull(TransactionRejected):
    def __init__(self) -> None:
        super().__init__("txpool is full")


class RefusedByValidators(TransactionRejected):
    """Every connected validator's mempool refused it; the words are theirs."""


class NoRoomLeft(ServerError):
    """The transaction stays pooled and is sent again when a validator can write."""

    def __init__(self) -> None:
        super().__init__(
            "no room left on the chain's disk: the chain pauses until some space is free. The transaction stays in the "
            "pool and is sent again then"
        )


class NoValidatorAnswered(ServerError):
    """The transaction stays pooled and is sent again when a validator comes back."""

    def __init__(self, waited_s: float) -> None:
        super().__init__(
            f"no validator stored the transaction within {waited_s:g} s; it stays in the pool and is sent again "
            "when one is back: look at `tandem status`"
        )
