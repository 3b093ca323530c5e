"""The bytecodes, against the addresses that follow from the made-up signatures in the EIPs' deployment transactions."""

import pytest

from chain import rlp
from chain.forks import Fork
from chain.keccak import keccak256
from chain.system_contracts import (
    BEACON_ROOTS,
    CONSOLIDATION_REQUESTS,
    HISTORY_STORAGE,
    WITHDRAWAL_REQUESTS,
    SystemContract,
    system_accounts,
)
from chain.transactions import LEGACY, Transaction
from chain.types import Gas, Wei

INHIBITED = "7f" + "ff" * 32 + "5f55"
"""The request contracts' constructors store an excess that forbids requests until the first system call."""


@pytest.mark.parametrize(
    ("contract", "constructor", "s"),
    [
        (BEACON_ROOTS, "60618060095f395ff3", 0x1B9B6EB1F0),
        (HISTORY_STORAGE, "60538060095f395ff3", 0xAA12693182426612186309F02CFE8A80A0000),
        (WITHDRAWAL_REQUESTS, INHIBITED + "6101f880602d5f395ff3", 0x5FEEB084551E4E03A3581E269BC2EA2F8D0008),
        (CONSOLIDATION_REQUESTS, INHIBITED + "61019e80602d5f395ff3", 0xC0730F92DC275B663D377A7CBB141B6600052),
    ],
    ids=lambda value: value.name if isinstance(value, SystemContract) else None,
)
def test_the_deployment_transaction_of_this_bytecode_leads_to_this_address(
    contract: SystemContract, constructor: str, s: int
) -> None:
    deployment = Transaction(
        type=LEGACY,
        chain_id=None,
        nonce=0,
        max_fee=Wei(10**12),
        max_priority_fee=Wei(10**12),
        gas=Gas(250_000),
        to=None,
        value=Wei(0),
        data=bytes.fromhex(constructor) + contract.code,
        y_parity=0,
        r=0x539,
        s=s,
    )
    created = keccak256(rlp.encode([deployment.sender(), b""]))[12:]
    assert created.hex() == contract.address.hex()


def test_a_genesis_carries_the_contracts_of_its_fork() -> None:
    assert [change.address for change in system_accounts(Fork.CANCUN)] == [BEACON_ROOTS.address]
    assert len(system_accounts(Fork.PRAGUE)) == 4
    for change in system_accounts(Fork.PRAGUE):
        assert change.code is not None
        assert change.account.code_hash == keccak256(change.code)
