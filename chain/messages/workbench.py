"""What the workbench tells the process that stands in for storage there."""

from dataclasses import dataclass

from chain.block_case import CaseAccount
from chain.codec import message
from chain.forks import Fork
from chain.types import Address, BlockNumber, Hash32, Version


@message(78)
@dataclass(frozen=True, slots=True)
class HoldState:
    """Hold this state as `version`, in place of all states before: what is not in it is empty. Answer: Done.

    The rules of `fork` say what an account without anything is.
    """

    version: Version
    fork: Fork
    accounts: dict[Address, CaseAccount]
    block_hashes: dict[BlockNumber, Hash32]
