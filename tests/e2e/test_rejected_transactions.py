"""Transactions that are refused, or wait: what geth's pool says (core/error.go, core/txpool) for each reason.

A fee cap below the base fee is no reason to refuse. geth keeps such a transaction as pending, because the base fee may
fall; it refuses only a tip below its own minimum of 1 wei. Those waiting transactions serve here to test replacement.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import rlp
from eth_account.signers.local import LocalAccount
from web3 import Web3

from tests.e2e.accounts import ETHER, GWEI, Purse, receipts_of
from tests.e2e.chain_process import chain
from tests.e2e.json_rpc import JsonRpc, RpcError

BALANCE = 10**17
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

Send = Callable[..., str]


@pytest.fixture
def account(purse: Purse) -> LocalAccount:
    return purse.account(BALANCE)


def _raw(account: LocalAccount, **fields: Any) -> str:
    ordinary: dict[str, Any] = {
        "chainId": 31337,
        "nonce": 0,
        "to": account.address,
        "value": 1,
        "gas": 21000,
        "maxFeePerGas": 10 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    transaction = {name: value for name, value in {**ordinary, **fields}.items() if value is not None}
    return Web3.to_hex(account.sign_transaction(transaction).raw_transaction)


@pytest.fixture
def send(rpc: JsonRpc, account: LocalAccount) -> Send:
    """Sends an ordinary transfer, changed by the fields given."""

    def send(**fields: Any) -> str:
        return str(rpc.call("eth_sendRawTransaction", _raw(account, **fields)))

    return send


def _refused(send: Callable[[], object]) -> str:
    """The message it is refused with; geth's pool has one code for all."""
    with pytest.raises(RpcError) as caught:
        send()
    assert caught.value.code == -32000
    return caught.value.message


def _waiting_fees(wei: int) -> dict[str, int]:
    """Fees that no block takes, far below any base fee."""
    return {"maxFeePerGas": wei, "maxPriorityFeePerGas": wei}


def _is_waiting(rpc: JsonRpc, transaction_hash: str) -> bool:
    found = rpc.call("eth_getTransactionByHash", transaction_hash)
    return found is not None and found["blockHash"] is None


@pytest.mark.parametrize("fees", [{}, {"gasPrice": 10 * GWEI, "maxFeePerGas": None, "maxPriorityFeePerGas": None}])
def test_another_chains_transaction_is_refused(send: Send, fees: dict[str, Any]) -> None:
    expected = "invalid sender: invalid chain id for signer: have 1 want 31337"
    assert _refused(lambda: send(chainId=1, **fees)) == expected


def test_a_signature_out_of_range_is_refused(rpc: JsonRpc, account: LocalAccount) -> None:
    # s and n - s sign alike; the larger is refused since Homestead, so that a transaction has one hash (EIP-2).
    *fields, s = rlp.decode(bytes.fromhex(_raw(account)[4:]))
    high_s = (SECP256K1_ORDER - int.from_bytes(s)).to_bytes(32)
    raw = "0x02" + rlp.encode([*fields, high_s]).hex()
    message = _refused(lambda: rpc.call("eth_sendRawTransaction", raw))
    assert message == "invalid sender: invalid transaction v, r, s values"


def test_bytes_that_are_no_transaction_are_refused(rpc: JsonRpc) -> None:
    assert _refused(lambda: rpc.call("eth_sendRawTransaction", "0x")) == "typed transaction too short"
    assert _refused(lambda: rpc.call("eth_sendRawTransaction", "0x02")) == "typed transaction too short"
    assert _refused(lambda: rpc.call("eth_sendRawTransaction", "0x7fc0")) == "transaction type not supported"
    assert _refused(lambda: rpc.call("eth_sendRawTransaction", "0xc0")).startswith("rlp: ")
    assert _refused(lambda: rpc.call("eth_sendRawTransaction", "0x02c0")).startswith("rlp: ")


def test_a_used_nonce_is_refused(rpc: JsonRpc, send: Send) -> None:
    receipts_of(rpc, [send(nonce=nonce) for nonce in range(3)])
    assert _refused(lambda: send(nonce=2, value=5)) == "nonce too low: next nonce 3, tx nonce 2"


def test_a_mined_transaction_sent_again_has_a_used_nonce(rpc: JsonRpc, send: Send) -> None:
    receipts_of(rpc, [send()])
    assert _refused(send) == "nonce too low: next nonce 1, tx nonce 0"


def test_a_waiting_transaction_sent_again_is_already_known(send: Send) -> None:
    send(**_waiting_fees(1))
    assert _refused(lambda: send(**_waiting_fees(1))) == "already known"
    send(nonce=5)
    assert _refused(lambda: send(nonce=5)) == "already known"


def test_a_fee_cap_below_the_base_fee_waits_until_it_is_replaced(rpc: JsonRpc, send: Send) -> None:
    cheap = send(**_waiting_fees(10))
    assert _is_waiting(rpc, cheap)
    for fees in (_waiting_fees(10), _waiting_fees(9), {"maxFeePerGas": 100, "maxPriorityFeePerGas": 10}):
        assert _refused(lambda fees=fees: send(value=2, **fees)) == "replacement transaction underpriced"  # type: ignore[misc]
    raised = send(value=2, **_waiting_fees(11))
    assert _is_waiting(rpc, raised)
    assert rpc.call("eth_getTransactionByHash", cheap) is None
    [receipt] = receipts_of(rpc, [send(value=3)])
    assert receipt["status"] == "0x1"
    assert rpc.call("eth_getTransactionByHash", raised) is None


def test_a_tip_of_zero_is_taken_as_development_chains_do(send: Send, rpc: JsonRpc) -> None:
    [receipt] = receipts_of(rpc, [send(maxPriorityFeePerGas=0)])
    assert receipt["status"] == "0x1"


def test_a_gas_price_of_zero_waits_until_the_base_fee_allows_it(send: Send, rpc: JsonRpc) -> None:
    legacy = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 0}
    assert _is_waiting(rpc, send(**legacy))


def test_a_tip_above_the_fee_cap_is_refused(send: Send) -> None:
    expected = "max priority fee per gas higher than max fee per gas"
    assert _refused(lambda: send(maxFeePerGas=GWEI, maxPriorityFeePerGas=GWEI + 1)) == expected


def test_a_value_above_the_balance_is_refused(send: Send) -> None:
    cost = ETHER + 21000 * 10 * GWEI
    figures = f"balance {BALANCE}, tx cost {cost}, overshot {cost - BALANCE}"
    assert _refused(lambda: send(value=ETHER)) == f"insufficient funds for gas * price + value: {figures}"


def test_what_already_waits_counts_against_the_balance(send: Send) -> None:
    value = BALANCE * 6 // 10
    send(value=value, **_waiting_fees(1))
    queued, cost = value + 21000, value + 21000 * 10 * GWEI
    figures = f"balance {BALANCE}, queued cost {queued}, tx cost {cost}, overshot {queued + cost - BALANCE}"
    message = _refused(lambda: send(nonce=1, value=value))
    assert message == f"insufficient funds for gas * price + value: {figures}"


def test_more_gas_than_osaka_allows_a_transaction_is_refused(send: Send) -> None:
    assert _refused(lambda: send(gas=2**24 + 1)) == "transaction gas limit too high (cap: 16777216, tx: 16777217)"


def test_more_gas_than_a_block_has_is_refused(account: LocalAccount) -> None:
    too_much = _raw(account, gas=10_000_001)
    with chain("--gas-limit", "10000000") as running, contextlib.closing(running.rpc()) as small:
        assert _refused(lambda: small.call("eth_sendRawTransaction", too_much)) == "exceeds block gas limit"


def test_less_gas_than_the_transaction_itself_needs_is_refused(send: Send) -> None:
    assert _refused(lambda: send(gas=20000)) == "intrinsic gas too low: gas 20000, minimum needed 21000"
    creation = {"to": None, "data": "0x" + 32 * "00", "value": 0}
    intrinsic = 21000 + 32000 + 32 * 4 + 2
    message = _refused(lambda: send(gas=intrinsic - 1, **creation))
    assert message == f"intrinsic gas too low: gas {intrinsic - 1}, minimum needed {intrinsic}"


def test_less_gas_than_the_calldata_floor_is_refused(send: Send) -> None:
    message = _refused(lambda: send(gas=40000, data="0x" + 1000 * "01"))
    assert message == "insufficient gas for floor data gas cost: gas 40000, minimum needed 61000"


def test_init_code_over_the_limit_is_refused(send: Send) -> None:
    message = _refused(lambda: send(to=None, value=0, gas=5_000_000, data="0x" + 49153 * "00"))
    assert message == "max initcode size exceeded: code size 49153 limit 49152"


def test_a_transaction_over_128_kib_is_refused(send: Send, rpc: JsonRpc) -> None:
    message = _refused(lambda: send(gas=10_000_000, data="0x" + 131072 * "00"))
    assert message.startswith("oversized data: transaction size 131")
    assert message.endswith(", limit 131072")


def test_a_gap_in_the_nonces_waits_until_it_is_filled(rpc: JsonRpc, send: Send) -> None:
    later = [send(nonce=2), send(nonce=1)]
    assert all(_is_waiting(rpc, name) for name in later)
    receipts_of(rpc, [*later, send(nonce=0)])
