"""Storage layouts worked out from solc's syntax trees, which Hardhat keeps even if nobody asks for layouts.

The rules are those of docs.soliditylang.org, "Layout of State Variables in Storage"; the result has the shape of solc's
own `storageLayout`. The trees also say what that leaves out: structs in namespaces of their own (ERC-7201).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rpc.naming.namespaces import erc7201_slot

WORD = 32
Node = Mapping[str, Any]
Json = dict[str, Any]
_NAMESPACE = re.compile(r"@custom:storage-location\s+erc7201:(\S+)")
_LENGTH = re.compile(r"\[(\d{1,78})\](?: storage.*)?$")
_BITS = re.compile(r"u?int(\d{1,3})")
_BYTES = re.compile(r"bytes(\d{1,2})")


class UnknownSyntax(Exception):
    """Something that decides about the layout and is not understood here, so that there is none."""


class SyntaxTrees:
    """The trees of one compilation, from `sources` of solc's output."""

    def __init__(self, sources: Any) -> None:
        self._declared: dict[int, Node] = {}
        self._contracts: dict[tuple[str, str], Node] = {}
        for path, source in sources.items() if isinstance(sources, dict) else ():
            tree = source.get("ast") if isinstance(source, dict) else None
            if isinstance(tree, dict):
                self._add(str(path), tree)

    def layout(self, path: str, contract: str) -> Json | None:
        """As `storageLayout` has it, namespaces included; None where the tree does not tell."""
        return self._layout_of(path, contract, with_variables=True)

    def namespaces(self, path: str, contract: str) -> Json | None:
        """Only what lies in namespaces, of those bases whose trees are here; None where nothing does."""
        found = self._layout_of(path, contract, with_variables=False)
        return found if found and found["storage"] else None

    def _layout_of(self, path: str, contract: str, with_variables: bool) -> Json | None:
        node = self._contracts.get((path, contract))
        if node is None:
            return None
        try:
            known = [base for base in node["linearizedBaseContracts"] if with_variables or base in self._declared]
            bases = [self._declared[base] for base in reversed(known)]
            builder = _Builder(self._declared)
            variables = builder.variables(node, bases) if with_variables else []
            return {"storage": [*variables, *builder.namespaces(bases)], "types": builder.types}
        except (AttributeError, KeyError, TypeError, UnknownSyntax):
            return None

    def _add(self, path: str, tree: Node) -> None:
        for node in _declarations(tree):
            self._declared[node["id"]] = node
            if node["nodeType"] == "ContractDefinition":
                self._contracts[path, node["name"]] = node


def _declarations(node: Node) -> Iterator[Node]:
    """What has a name and a type of its own, in a file or in its contracts."""
    for child in node.get("nodes", ()):
        if isinstance(child, dict) and "id" in child and "nodeType" in child:
            yield child
            if child["nodeType"] == "ContractDefinition":
                yield from _declarations(child)


class _Builder:
    """Lays out one contract; `types` fills as they are met."""

    def __init__(self, declared: Mapping[int, Node]) -> None:
        self._declared = declared
        self.types: dict[str, Json] = {}

    def variables(self, contract: Node, bases: Sequence[Node]) -> list[Json]:
        """Raises UnknownSyntax."""
        if contract.get("storageLayout"):
            raise UnknownSyntax("layout at")
        declared = [node for base in bases for node in base["nodes"] if _is_stored(node)]
        return self._placed(declared)[0]

    def namespaces(self, bases: Sequence[Node]) -> Iterator[Json]:
        for base in bases:
            for node in base["nodes"]:
                name = _namespace_of(node)
                if name is not None:
                    type = self._struct(node)
                    yield {"label": name, "slot": erc7201_slot(name), "offset": 0, "type": type}

    def _placed(self, declared: Sequence[Node]) -> tuple[list[Json], int]:
        """The declarations in their places, and how many slots they take."""
        slot, offset, placed = 0, 0, []
        for node in declared:
            name = self._type(node["typeName"])
            size, packs = int(self.types[name]["numberOfBytes"]), _packs(self.types[name])
            if offset and (not packs or offset + size > WORD):
                slot, offset = slot + 1, 0
            placed.append({"label": node["name"], "slot": slot, "offset": offset, "type": name})
            if packs:
                offset += size
            else:
                slot += -(-size // WORD)
        return placed, slot + bool(offset)

    def _type(self, node: Node) -> str:
        """The name under which the type is in `types`."""
        kind, text = node["nodeType"], str(node["typeDescriptions"]["typeString"])
        if kind == "Mapping":
            key, value = self._type(node["keyType"]), self._type(node["valueType"])
            return self._add(f"mapping({key} => {value})", "mapping", WORD, key=key, value=value)
        if kind == "ArrayTypeName":
            return self._array(node, text)
        if kind == "UserDefinedTypeName":
            return self._declared_type(self._declared[node["referencedDeclaration"]], text)
        if kind == "FunctionTypeName":
            return self._add(text, "inplace", 24 if node["visibility"] == "external" else 8)
        if kind == "ElementaryTypeName":
            return self._elementary(node["name"])
        raise UnknownSyntax(kind)

    def _array(self, node: Node, text: str) -> str:
        base = self._type(node["baseType"])
        if not node.get("length"):
            return self._add(f"{base}[]", "dynamic_array", WORD, base=base)
        match = _LENGTH.search(text)
        if match is None:
            raise UnknownSyntax(text)
        length, element = int(match[1]), self.types[base]
        size = int(element["numberOfBytes"])
        per_slot = WORD // size if _packs(element) else 0
        slots = -(-length // per_slot) if per_slot else length * -(-size // WORD)
        return self._add(f"{base}[{length}]", "inplace", slots * WORD, base=base)

    def _declared_type(self, node: Node, text: str) -> str:
        kind = node["nodeType"]
        if kind == "StructDefinition":
            return self._struct(node)
        if kind == "UserDefinedValueTypeDefinition":
            return self._type(node["underlyingType"])
        if kind == "EnumDefinition":
            return self._add(text, "inplace", 1)
        if kind == "ContractDefinition":
            return self._add(text, "inplace", 20)
        raise UnknownSyntax(kind)

    def _struct(self, node: Node) -> str:
        name = f"struct {node['name']} {node['id']}"
        if name not in self.types:
            # Known before its members are: a mapping or dynamic array in it may lead back to it.
            self._add(name, "inplace", WORD)
            members, slots = self._placed(node["members"])
            self.types[name] |= {"members": members, "numberOfBytes": slots * WORD}
        return name

    def _elementary(self, name: str) -> str:
        if name in ("string", "bytes"):
            return self._add(name, "bytes", WORD)
        bits, width = _BITS.fullmatch(name), _BYTES.fullmatch(name)
        if bits or width:
            return self._add(name, "inplace", int(bits[1]) // 8 if bits else int(width[1]) if width else 0)
        sizes = {"address": 20, "bool": 1, "uint": WORD, "int": WORD, "byte": 1}
        if name not in sizes:
            raise UnknownSyntax(name)
        return self._add(name, "inplace", sizes[name])

    def _add(self, name: str, encoding: str, size: int, **more: str) -> str:
        self.types[name] = {"label": name, "encoding": encoding, "numberOfBytes": size, **more}
        return name


def _is_stored(node: Node) -> bool:
    return (
        node["nodeType"] == "VariableDeclaration"
        and not node.get("constant")
        and node.get("mutability", "mutable") == "mutable"
        and node.get("storageLocation") != "transient"
    )


def _packs(type: Json) -> bool:
    """Whether it may share a slot: value types do; what begins a new slot also ends one."""
    return type["encoding"] == "inplace" and "members" not in type and "base" not in type


def _namespace_of(node: Node) -> str | None:
    """The namespace whose struct this is, by its documentation."""
    if node["nodeType"] != "StructDefinition":
        return None
    said = node.get("documentation")
    match = _NAMESPACE.search(str(said.get("text", "")) if isinstance(said, dict) else "")
    return match[1] if match else None
