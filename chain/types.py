"""Names for the primitive quantities of the chain, so that signatures say which one they mean."""

from typing import NewType, TypeAlias

Address = NewType("Address", bytes)
"""20 bytes."""
Hash32 = NewType("Hash32", bytes)
"""32 bytes, usually a keccak-256 digest."""
Wei = NewType("Wei", int)
Gas = NewType("Gas", int)
BlockNumber = NewType("BlockNumber", int)
"""An Ethereum block's number. Execution derives it from the parent's header; a revert takes it back."""
Height = NewType("Height", int)
"""How many committed proposals that make blocks (or carry operations) there are from genesis, which is height 0. Never
goes back. What consensus orders and execution takes in is counted so; a height may make no block, one or several."""
Version = NewType("Version", int)
"""A point in the state's history. Never reused; grows by one with each applied batch."""
Round = NewType("Round", int)
"""A consensus round; round 0 belongs to the genesis proposal."""
ValidatorIndex = NewType("ValidatorIndex", int)
ExecutorIndex = NewType("ExecutorIndex", int)
"""A full executor: an execution process with a storage and workers of its own."""

ZERO_ADDRESS = Address(bytes(20))
ZERO_HASH = Hash32(bytes(32))

SIGNATURE_BYTES = 65

PretendedSignature: TypeAlias = tuple[bytes, Address]
"""A signature, r, s and 27 or 28, and the account that is said to have made it."""
