"""Names for storage slots and contracts: from keccak preimages, storage layouts, interfaces and bytecode."""
