"""The gas a transaction pays before its first instruction, and the limits it must keep whatever the state is."""

from chain.forks import Fork
from chain.messages.calls import Runnable
from chain.types import Gas

TX_GAS = 21_000
CREATION_GAS = 32_000
ZERO_BYTE_GAS = 4
NONZERO_BYTE_GAS = 16  # EIP-2028
NONZERO_BYTE_GAS_BEFORE_ISTANBUL = 68
INIT_CODE_WORD_GAS = 2  # EIP-3860
ACCESS_LIST_ADDRESS_GAS = 2_400  # EIP-2930
ACCESS_LIST_SLOT_GAS = 1_900
AUTHORIZATION_GAS = 25_000  # EIP-7702
FLOOR_TOKEN_GAS = 10  # EIP-7623
MAX_INIT_CODE_SIZE = 49_152  # EIP-3860
MAX_TRANSACTION_GAS = Gas(2**24)  # EIP-7825


def intrinsic_gas(transaction: Runnable, fork: Fork) -> Gas:
    """Base cost, calldata, creation, access list and authorizations (EIP-2, 2028, 2930, 3860, 7702)."""
    nonzero_byte_gas = NONZERO_BYTE_GAS if fork >= Fork.ISTANBUL else NONZERO_BYTE_GAS_BEFORE_ISTANBUL
    zeros = transaction.data.count(0)
    gas = TX_GAS + zeros * ZERO_BYTE_GAS + (len(transaction.data) - zeros) * nonzero_byte_gas
    if transaction.to is None:
        gas += CREATION_GAS if fork >= Fork.HOMESTEAD else 0
        gas += INIT_CODE_WORD_GAS * ((len(transaction.data) + 31) // 32) if fork >= Fork.SHANGHAI else 0
    for entry in transaction.access_list:
        gas += ACCESS_LIST_ADDRESS_GAS + ACCESS_LIST_SLOT_GAS * len(entry.slots)
    return Gas(gas + AUTHORIZATION_GAS * len(transaction.authorizations))


def floor_gas(transaction: Runnable, fork: Fork) -> Gas:
    """The least a transaction pays for its calldata from Prague on (EIP-7623); 0 before."""
    if fork < Fork.PRAGUE:
        return Gas(0)
    zeros = transaction.data.count(0)
    tokens = zeros + 4 * (len(transaction.data) - zeros)
    return Gas(TX_GAS + FLOOR_TOKEN_GAS * tokens)


def max_init_code_size(fork: Fork) -> int | None:
    """How long the data of a creation may be; None before Shanghai, where only its gas bounds it (EIP-3860)."""
    return MAX_INIT_CODE_SIZE if fork >= Fork.SHANGHAI else None


def max_gas(fork: Fork) -> Gas | None:
    """The highest gas limit a transaction may have; None before Osaka, where the block's is the only one."""
    return MAX_TRANSACTION_GAS if fork >= Fork.OSAKA else None
