"""The development accounts: derived from a mnemonic as every wallet does (BIP-39, BIP-32, m/44'/60'/0'/0/i)."""

from dataclasses import dataclass

from bip32 import BIP32
from mnemonic import Mnemonic

from chain.signing import address_of_private_key
from chain.types import Address
from node.errors import BadSetting

DERIVATION_PATH = "m/44'/60'/0'/0"


@dataclass(frozen=True, slots=True)
class DevelopmentAccount:
    """An account whose key the node knows: funded in genesis, unlocked for eth_sendTransaction."""

    address: Address
    private_key: bytes


def development_accounts(mnemonic: str, count: int) -> tuple[DevelopmentAccount, ...]:
    """The first `count` accounts of a mnemonic. Raises BadSetting for one that is not valid BIP-39."""
    if not Mnemonic("english").check(mnemonic):
        raise BadSetting("the mnemonic is not valid: give 12 to 24 words of BIP-39's English list, checksum included")
    parent = BIP32.from_seed(Mnemonic.to_seed(mnemonic))
    keys = (parent.get_privkey_from_path(f"{DERIVATION_PATH}/{index}") for index in range(count))
    return tuple(DevelopmentAccount(address_of_private_key(key), key) for key in keys)
