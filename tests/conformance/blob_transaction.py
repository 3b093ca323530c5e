"""The blob transaction of the official RPC tests, with its blob and proofs."""

import json

from tests.conformance.rpc_exchanges import exchanges

(_PAIR,) = next(exchange.pairs for exchange in exchanges() if exchange.name == "eth_sendRawTransaction/send-blob-tx")
RAW = bytes.fromhex(json.loads(_PAIR[0])["params"][0][2:])
