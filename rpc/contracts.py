"""tandem_registerContract and tandem_getContract: what a contract is, so that what is in it has names."""

from typing import Any

from chain.types import Address
from rpc.errors import InvalidArgument, ServerError
from rpc.methods import Node, method, optional
from rpc.naming.contract import BadContract
from rpc.params import address, mapping
from rpc.render import JsonObject


def description(value: Any) -> dict[str, Any]:
    return mapping(value, "tandem.Contract")


@method("tandem_registerContract", optional(address), description)
async def register_contract(node: Node, where: Address | None, described: dict[str, Any]) -> JsonObject:
    """A contract by its address, or with null wherever its deployedBytecode is.

    It is described as compilers do: name, abi, storageLayout, deployedBytecode, immutableReferences.
    """
    try:
        contract = node.naming.registry.register(where, described)
    except BadContract as problem:
        raise InvalidArgument(1, str(problem)) from None
    except OSError as error:
        raise ServerError(f"cannot keep the contract: {error}") from error
    return {
        "name": contract.name,
        "address": None if where is None else "0x" + where.hex(),
        "functions": len(contract.interface.functions),
        "variables": len(contract.layout.variables) if contract.layout else 0,
    }


@method("tandem_getContract", address)
async def get_contract(node: Node, where: Address) -> JsonObject | None:
    """What the node knows of a contract, behind its proxy if it has one; null if that is nothing."""
    names = await node.naming.names(node.chain.head.version, [where])
    name = names.contract(where)
    if name is None:
        return None
    interface = names.interface(where)
    return {
        "name": name,
        "functions": sorted(interface.functions.values()),
        "errors": sorted(interface.errors.values()),
    }
