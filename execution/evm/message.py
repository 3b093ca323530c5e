"""A message: one call or creation inside a transaction."""

from dataclasses import dataclass

from chain.types import Address


@dataclass(slots=True)
class Message:
    """What a frame is started with, under py-evm's names but without its validation, which costs as much as a transfer.

    `storage_address` is the account that the code acts as, `code_address` the one that the code is taken from.
    """

    gas: int
    sender: Address
    storage_address: Address
    code_address: Address
    value: int
    data: bytes
    code: bytes
    depth: int = 0
    is_static: bool = False
    is_create: bool = False
    is_delegation: bool = False
    should_transfer_value: bool = True

    @property
    def data_as_bytes(self) -> bytes:
        return self.data
