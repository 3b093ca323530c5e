"""The deterministic deployment proxy, which forge deploys through wherever a script says a salt.

Its address follows from a transaction that nobody has the key for (github.com/Arachnid/deterministic-deployment-proxy),
so every public chain has it there. A chain of Tandem's own begins with it, as anvil's does: else `forge script` ends
with "missing CREATE2 deployer".
"""

from chain.accounts import Account, AccountChange
from chain.keccak import keccak256
from chain.types import Address

PROXY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f580151560395781"
    "82fd5b8082525050506014600cf3"
)
DEPLOYMENT_PROXY = AccountChange(
    Address(bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")),
    Account(nonce=1, code_hash=keccak256(PROXY_CODE)),
    {},
    code=PROXY_CODE,
)
