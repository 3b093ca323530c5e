"""Methods that send and sign: raw transactions, and transactions and messages of the unlocked accounts."""

from dataclasses import dataclass, replace
from typing import Any

from chain import rlp
from chain.fees import MAX_BLOBS_PER_TRANSACTION
from chain.intrinsic_gas import TX_GAS
from chain.replacement import least_outbid
from chain.transactions import ACCESS_LIST, BLOB, DYNAMIC_FEE, LEGACY, SET_CODE, Transaction, TransactionType, sealed
from chain.types import ZERO_ADDRESS, Address, Gas, Wei
from rpc.blobs import without_blobs
from rpc.calls import GasRequiredExceedsAllowance, estimate_gas
from rpc.errors import InvalidParams, ServerError
from rpc.fees import coming_base_fee, coming_blob_base_fee, suggested_gas_price, suggested_tip
from rpc.methods import Node, method, optional
from rpc.overrides import NO_BLOCK_OVERRIDES
from rpc.params import BlockTag, address, data, text
from rpc.render import JsonObject, address_json, data_json, transaction_json
from rpc.transaction_arguments import TransactionArguments, transaction_arguments
from rpc.transaction_errors import InsufficientFunds

PLACE_MEMBERS = frozenset({"blockHash", "blockNumber", "blockTimestamp", "transactionIndex"})


class IncompleteTransaction(ServerError):
    """What a transaction cannot be without is missing, or its parts contradict each other."""


@dataclass(frozen=True, slots=True)
class Fees:
    """For legacy and access-list transactions both are the gas price."""

    max_fee: Wei
    max_priority_fee: Wei


@method("eth_sendRawTransaction", data)
async def send_raw_transaction(node: Node, raw: bytes) -> str:
    return data_json(await node.admission.submit(await without_blobs(node, raw)))


@method("eth_sendTransaction", transaction_arguments)
async def send_transaction(node: Node, wanted: TransactionArguments, password: str | None = None) -> str:
    """Fill in, sign and send a transaction of an unlocked account, the first one if none is named; of a locked one with
    its password.

    It is answered once its block is there, if blocks are made at once: suites that were written for hardhat or ganache
    read the state next, without asking for the receipt.
    """
    wanted.check_no_blobs()
    await node.admission.caught_up()
    sender = sender_of(node, wanted)
    wanted = wanted._replace(sender=sender)
    impersonates = node.chain.settings.impersonates(sender) and sender not in node.wallet.accounts
    senders = node.wallet.impersonating if impersonates else node.wallet.sending(sender, password)
    with senders.place() as place:  # in the order of the requests, however long each takes to be filled in
        unsigned = await filled(node, wanted)
        await place.turn()  # until it is in the pool, so that the next one takes the next nonce
        if wanted.nonce is None:
            unsigned = replace(unsigned, nonce=await node.admission.pending_nonce(sender))
        if impersonates:
            signed = unsigned.impersonated_by(sender)
        else:
            signed = node.wallet.sign_transaction(sender, unsigned, password)
        stored = await node.admission.enter(signed)
    await node.admission.stored(stored)
    await node.admission.while_pending(signed.hash)
    return data_json(signed.hash)


@method("eth_signTransaction", transaction_arguments)
async def sign_transaction(node: Node, wanted: TransactionArguments, password: str | None = None) -> JsonObject:
    """Sign without sending. What would be filled in must be given, since the signature outlives the moment."""
    if wanted.gas is None:
        raise IncompleteTransaction("gas not specified")
    if wanted.gas_price is None and (wanted.max_priority_fee is None or wanted.max_fee is None):
        raise IncompleteTransaction("missing gasPrice or maxFeePerGas/maxPriorityFeePerGas")
    if wanted.nonce is None:
        raise IncompleteTransaction("nonce not specified")
    sender = sender_of(node, wanted)
    signed = node.wallet.sign_transaction(sender, await filled(node, wanted), password)
    return {"raw": data_json(signed.raw), "tx": _unplaced(signed, sender)}


def sender_of(node: Node, wanted: TransactionArguments) -> Address:
    """As with anvil and hardhat, the first account is meant where none is named; nobody, if there are none."""
    return wanted.sender or next(iter(node.wallet.accounts), ZERO_ADDRESS)


@method("eth_fillTransaction", transaction_arguments)
async def fill_transaction(node: Node, wanted: TransactionArguments) -> JsonObject:
    """The transaction with everything filled in, unsigned."""
    sender = wanted.sender or ZERO_ADDRESS
    unsigned = await filled(node, wanted)
    if wanted.nonce is None:
        unsigned = replace(unsigned, nonce=await node.admission.pending_nonce(sender))
    raw = _unsigned_envelope(unsigned)
    return {"raw": data_json(raw), "tx": _unplaced(sealed(unsigned), sender)}


@method("eth_accounts")
async def accounts(node: Node) -> list[str | None]:
    """Those that eth_sendTransaction sends for: ethers gives signers of no others."""
    own, impersonated = node.wallet.accounts, node.chain.settings.impersonated
    return [address_json(account) for account in dict.fromkeys((*own, *impersonated))]


@method("eth_requestAccounts")
async def request_accounts(node: Node) -> list[str | None]:
    """EIP-1102, as dapps ask a wallet; the devnet's accounts need no permission."""
    return await accounts(node)


@method("eth_sign", address, data)
async def sign(node: Node, account: Address, message: bytes) -> str:
    return data_json(node.wallet.sign_text(account, message))


@method("personal_sign", data, address, optional(text))
async def personal_sign(node: Node, message: bytes, account: Address, password: str | None) -> str:
    """As eth_sign with its arguments exchanged. With its password a locked account signs too; any is right for an
    account without one."""
    return data_json(node.wallet.sign_text(account, message, password))


def _typed_data(value: Any) -> Any:
    """An object, or JSON text; what is in it is looked at when it is encoded."""
    return value


@method("eth_signTypedData_v4", address, _typed_data)
async def sign_typed_data(node: Node, account: Address, typed_data: Any) -> str:
    return data_json(node.wallet.sign_typed_data(account, typed_data))


@method("eth_signTypedData_v3", address, _typed_data)
async def sign_typed_data_v3(node: Node, account: Address, typed_data: Any) -> str:
    """What version 3 can express, version 4 encodes to the same digest."""
    return await sign_typed_data(node, account, typed_data)


@method("eth_signTypedData", address, _typed_data)
async def sign_typed_data_unversioned(node: Node, account: Address, typed_data: Any) -> str:
    return await sign_typed_data(node, account, typed_data)


async def filled(node: Node, wanted: TransactionArguments) -> Transaction:
    """The unsigned transaction with geth's defaults (TransactionArgs.setDefaults), the nonce 0 if it was not given."""
    wanted.check_no_sidecar()
    wanted = _blob_priced(node, _gas_priced(node, wanted))
    fees = _fees(node, wanted)
    payload = wanted.payload()
    if wanted.to is None and not payload:
        raise IncompleteTransaction("contract creation without any data provided")
    if wanted.to is None and wanted.authorizations:
        raise IncompleteTransaction('authorizationList provided for contract creation, but "to" field is missing')
    wanted.check_chain(node.chain.chain_id)
    return Transaction(
        type=_type(wanted),
        chain_id=node.chain.chain_id,
        nonce=wanted.nonce or 0,
        max_fee=fees.max_fee,
        max_priority_fee=fees.max_priority_fee,
        gas=wanted.gas if wanted.gas is not None else await _estimated(node, wanted, fees),
        to=wanted.to,
        value=wanted.value or Wei(0),
        data=payload,
        access_list=wanted.access_list or (),
        max_blob_fee=wanted.max_blob_fee if wanted.blob_hashes and wanted.max_blob_fee else Wei(0),
        blob_hashes=wanted.blob_hashes or (),
        authorizations=wanted.authorizations or (),
    )


def _blob_priced(node: Node, wanted: TransactionArguments) -> TransactionArguments:
    """With geth's cap of the blob fee where blobs are named and none is given: twice what the next block takes.

    Raises IncompleteTransaction where there can be no such transaction.
    """
    hashes = wanted.blob_hashes
    if hashes is None:
        return wanted
    if not hashes:
        raise IncompleteTransaction("need at least 1 blob for a blob transaction")
    if len(hashes) > MAX_BLOBS_PER_TRANSACTION:
        limit = MAX_BLOBS_PER_TRANSACTION
        raise IncompleteTransaction(f"too many blobs in transaction (have={len(hashes)}, max={limit})")
    if wanted.to is None:
        raise IncompleteTransaction('missing "to" in blob transaction')
    for said, other in (("gasPrice", wanted.gas_price), ("authorizationList", wanted.authorizations)):
        if other is not None:
            raise IncompleteTransaction(f"both {said} and blobVersionedHashes specified")
    if wanted.max_blob_fee == 0:
        raise IncompleteTransaction("maxFeePerBlobGas, if specified, must be non-zero")
    return wanted._replace(max_blob_fee=wanted.max_blob_fee or Wei(2 * coming_blob_base_fee(node)))


def _gas_priced(node: Node, wanted: TransactionArguments) -> TransactionArguments:
    """With the price that a type with a gas price needs, where a type was named and nothing speaks against it.

    Raises InvalidParams where the type has no place for what was given.
    """
    dynamic = (wanted.max_fee, wanted.max_priority_fee, wanted.authorizations)
    if wanted.type is None or any(member is not None for member in dynamic):
        return wanted
    price = suggested_gas_price(node) if wanted.gas_price is None else wanted.gas_price
    if wanted.type == ACCESS_LIST:
        return wanted._replace(gas_price=price, access_list=wanted.access_list or ())
    if wanted.access_list:
        raise InvalidParams(
            "a transaction of type 0x0 has no access list: leave out accessList, or give type 0x1 or 0x2"
        )
    return wanted._replace(gas_price=price, access_list=None)


def _type(wanted: TransactionArguments) -> TransactionType:
    """The oldest type that can say what was asked for, and dynamic fees where nothing speaks for another."""
    if wanted.authorizations is not None:
        return SET_CODE
    if wanted.blob_hashes is not None:
        return BLOB
    if wanted.gas_price is not None:
        return LEGACY if wanted.access_list is None else ACCESS_LIST
    return DYNAMIC_FEE


async def _estimated(node: Node, wanted: TransactionArguments, fees: Fees) -> Gas:
    """The gas limit it needs, if the sender can afford it at these fees, and they the base fee of the block to come.

    Raises InsufficientFunds where the sender cannot pay for any transaction, which wallets know by these words.
    """
    if wanted.gas_price is None:
        wanted = wanted._replace(max_fee=fees.max_fee, max_priority_fee=fees.max_priority_fee)
    try:
        return await estimate_gas(node, wanted, changes=replace(NO_BLOCK_OVERRIDES, base_fee=coming_base_fee(node)))
    except GasRequiredExceedsAllowance as error:
        if error.allowance >= TX_GAS:
            raise
    balance = (await node.chain.account(wanted.sender or ZERO_ADDRESS, BlockTag.LATEST)).balance
    raise InsufficientFunds(balance, Wei((wanted.value or 0) + TX_GAS * fees.max_fee))


def _fees(node: Node, wanted: TransactionArguments) -> Fees:
    """What was asked for, and where nothing was: room for the base fee to double, and the tip that everyone gives."""
    wanted.check_fees()
    base_fee = coming_base_fee(node)
    if wanted.gas_price is not None:
        if wanted.authorizations is not None:
            raise IncompleteTransaction("both gasPrice and authorizationList specified")
        if wanted.gas_price == 0 and base_fee > 0:
            raise IncompleteTransaction("gasPrice must be non-zero after london fork")
        return Fees(wanted.gas_price, wanted.gas_price)
    if wanted.max_fee == 0 and base_fee > 0:
        raise IncompleteTransaction("maxFeePerGas must be non-zero")
    tip = wanted.max_priority_fee
    if tip is None:
        tip = suggested_tip(node) if wanted.max_fee is None else min(_outbidding_tip(node, wanted), wanted.max_fee)
    return Fees(wanted.max_fee if wanted.max_fee is not None else Wei(2 * base_fee + tip), tip)


def _outbidding_tip(node: Node, wanted: TransactionArguments) -> Wei:
    """The usual tip, or what replaces the sender's waiting transaction of that nonce, as the fee cap says is meant."""
    usual = suggested_tip(node)
    if wanted.sender is None or wanted.nonce is None:
        return usual
    waiting = node.admission.pool.waiting(wanted.sender, wanted.nonce)
    return usual if waiting is None else max(usual, least_outbid(waiting))


def _unplaced(transaction: Transaction, sender: Address) -> JsonObject:
    """A transaction that is in no block and may never be: without the members that place it."""
    shown = transaction_json(transaction, sender, None)
    return {name: value for name, value in shown.items() if name not in PLACE_MEMBERS}


def _unsigned_envelope(transaction: Transaction) -> bytes:
    """The envelope with a signature of zeros, as geth encodes what is not signed."""
    encoded = transaction.encode()
    if transaction.type != LEGACY:
        return encoded
    return rlp.encode([*rlp.decode_list(rlp.decode(encoded))[:6], b"", b"", b""])
