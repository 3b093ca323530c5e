"""Batches of nothing but raw transactions, which are what bursts are sent in.

A request of a batch that may do anything is a task, with a place among those that send. These need none of it: they are
admitted one after the other, and then waited for together.
"""

from typing import Any

from chain.transactions import BLOB
from rpc.params import InvalidValue, data
from rpc.request_form import is_request

SEND_RAW = "eth_sendRawTransaction"
BLOB_TYPE = bytes((BLOB,))


def raw_transactions(messages: list[Any]) -> list[bytes] | None:
    """What the batch sends; None if it asks for anything else, or if something about it is wrong.

    Transactions with blobs are something else: a reader looks at the blobs first.
    """
    raws: list[bytes] = []
    for message in messages:
        if not is_request(message) or message["method"] != SEND_RAW:
            return None
        params = message.get("params")
        if type(params) is not list or len(params) != 1:
            return None
        try:
            raw = data(params[0])
        except InvalidValue:
            return None
        if raw[:1] == BLOB_TYPE:
            return None
        raws.append(raw)
    return raws
