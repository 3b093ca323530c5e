"""The pictures of the page in the documentation: `python -m tests.e2e.page_pictures` makes them anew.

Fifty wallets hash, transfer a token, and now and then mint it; the page then shows the block that gained most among
those with conflicts. It is drawn with the fonts of this machine (Debian: fonts-inter), on as many cores as it has; what
else runs there is seen in it. `pngquant --ext .png --force docs/page-*.png` makes the files a third as large.
"""

import contextlib
import sys
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address

from tests.contracts import artifact
from tests.e2e.accounts import ETHER, GWEI, receipts_of
from tests.e2e.chain_process import chain
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import NpmPackages
from tests.e2e.running_node import PROJECT
from tests.e2e.test_page import SCRIPT, browser

WALLETS, ROUNDS, HASHES = 50, 8, 400
TOKEN_ARGUMENTS = encode(["string", "string"], ["Token", "TOK"])


def call(signature: str, *values: Any) -> bytes:
    types = signature.partition("(")[2].rstrip(")").split(",")
    return bytes(keccak(text=signature)[:4] + encode(types, values))


def deploy(rpc: JsonRpc, name: str, arguments: bytes = b"") -> str:
    """The address of a new contract, whose variables have names from now on."""
    contract, [owner, *_] = artifact(name), rpc.call("eth_accounts")
    creation = {"from": owner, "data": "0x" + (contract.bytecode + arguments).hex(), "gas": hex(3 * 10**6)}
    [receipt] = receipts_of(rpc, [rpc.call("eth_sendTransaction", creation)])
    described = {"name": name, "abi": contract.abi, "storageLayout": contract.storage_layout}
    rpc.call("tandem_registerContract", receipt["contractAddress"], described)
    return str(to_checksum_address(receipt["contractAddress"]))


def fund(rpc: JsonRpc, wallets: list[LocalAccount]) -> None:
    payers = rpc.call("eth_accounts")
    hashes = []
    for start in range(0, len(wallets), len(payers)):
        some = zip(payers, wallets[start:], strict=False)
        hashes += rpc.batch(
            "eth_sendTransaction", [[{"from": a, "to": w.address, "value": hex(ETHER)}] for a, w in some]
        )
    receipts_of(rpc, hashes)


def send(rpc: JsonRpc, wallets: list[LocalAccount], nonce: int, calls: list[tuple[str, bytes]]) -> list[int]:
    """The numbers of the blocks they came into: each wallet sends one call, and all wait for one block."""
    fields: dict[str, Any] = {"nonce": nonce, "gas": 400_000, "chainId": 31337, "type": 2}
    fields |= {"maxFeePerGas": 5 * GWEI, "maxPriorityFeePerGas": 1}
    signed = [
        wallet.sign_transaction(fields | {"to": to, "data": data})
        for wallet, (to, data) in zip(wallets, calls, strict=True)
    ]
    rpc.call("tandem_partition", [[0, 1], [2, 3]])
    hashes = rpc.batch("eth_sendRawTransaction", [[one.raw_transaction.to_0x_hex()] for one in signed])
    rpc.call("tandem_heal")
    return sorted({int(receipt["blockNumber"], 16) for receipt in receipts_of(rpc, hashes)})


def traffic(rpc: JsonRpc) -> set[int]:
    """The blocks of all rounds but the first, in which everybody gets tokens."""
    wallets = [Account.from_key(keccak(text=f"picture {number}")) for number in range(WALLETS)]
    fund(rpc, wallets)
    token, loop = deploy(rpc, "Token", TOKEN_ARGUMENTS), deploy(rpc, "KeccakLoop")
    send(rpc, wallets, 0, [(token, call("mint(address,uint256)", wallet.address, ETHER)) for wallet in wallets])
    numbers = []
    for nonce in range(1, ROUNDS):
        calls = []
        for index, wallet in enumerate(wallets):
            if (index + nonce) % 9 == 0:
                calls.append((token, call("mint(address,uint256)", wallet.address, 5)))
            elif index % 3 == 0:
                calls.append((token, call("transfer(address,uint256)", f"0x{nonce:038x}{index:02x}", 1 + nonce)))
            else:
                calls.append((loop, call("run(uint256)", HASHES)))
        numbers += send(rpc, wallets, nonce, calls)
    return set(numbers)


def most_telling(rpc: JsonRpc, numbers: set[int]) -> int:
    """The block that gained most of those with conflicts."""
    executions = [rpc.call("tandem_getBlockExecution", hex(number)) for number in numbers]
    best = max(executions, key=lambda one: (one["conflicts"] > 0, one["speedup"] or 0))
    return int(best["number"])


def main(url: str = "", folder: str = str(PROJECT / "docs")) -> None:
    """Without a URL: the pictures. With that of a chain: blocks on it, and the number of the one to show."""
    if url:
        with contextlib.closing(JsonRpc(url)) as rpc:
            print(most_telling(rpc, traffic(rpc)))
        return
    packages = NpmPackages({"CHROMIUM": browser(), "PYTHONPATH": str(PROJECT)})
    with chain() as running:
        command = [sys.executable, "-m", "tests.e2e.page_pictures", running.url]
        print(packages.run_script(SCRIPT, "is_drawn", running.url, folder, *command), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
