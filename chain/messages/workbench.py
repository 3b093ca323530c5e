"""What the workbench tells the process that stands in for storage there."""

from dataclasses import dataclass

from chain.block_case import CaseAccount
from chain.codec import message
from chain.types import Address, BlockNumber, Hash32, Version


@message(78)
@dataclass(frozen=True, slots=True)
class HoldState:
    """Hold this state as `version`, in place of all states before: what is not in it is empty. Answer: Done."""

    version: Version
    accounts: dict[Address, CaseAccount]
    block_hashes: dict[BlockNumber, Hash32]
