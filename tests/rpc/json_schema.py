"""Checks JSON values against the part of JSON Schema that openrpc.json uses."""

import re
from typing import Any

KNOWN = {
    "additionalProperties", "allOf", "anyOf", "const", "default", "enum", "format", "items", "maxItems", "maxLength",
    "maximum", "minItems", "minLength", "minimum", "not", "oneOf", "pattern", "patternProperties", "properties",
    "required", "type", "deprecated", "propertyNames", "minProperties", "maxProperties", "$schema", "uniqueItems",
}  # fmt: skip
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


def problems(value: Any, schema: Any, path: str = "$") -> list[str]:
    """What is wrong with `value`, nothing if it conforms. `oneOf` is read as `anyOf`: the specification's variants
    overlap."""
    if isinstance(schema, bool):
        return [] if schema else [f"{path}: nothing may be here"]
    unknown = set(schema) - KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    found = _scalar_problems(value, schema, path)
    for part in schema.get("allOf", []):
        found += problems(value, part, path)
    for variants in (schema.get("oneOf"), schema.get("anyOf")):
        if variants is not None:
            found += _variant_problems(value, variants, path)
    if "not" in schema and not problems(value, schema["not"], path):
        found.append(f"{path}: what may not be here")
    if isinstance(value, dict):
        found += _object_problems(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += problems(item, schema["items"], f"{path}[{i}]")
    return found


def _scalar_problems(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    found = []
    names = schema.get("type")
    if names is not None:
        allowed = names if isinstance(names, list) else [names]
        if not any(isinstance(value, TYPES[name]) and (name != "integer" or value is not True) for name in allowed):
            return [f"{path}: {value!r} is no {names}"]
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: {value!r} is not {schema['const']!r}")
    return found


def _variant_problems(value: Any, variants: list[Any], path: str) -> list[str]:
    attempts = [problems(value, variant, path) for variant in variants]
    return [] if any(not attempt for attempt in attempts) else min(attempts, key=len)


def _object_problems(value: dict[str, Any], schema: dict[str, Any], path: str) -> list[str]:
    found = [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
    properties = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for name, item in value.items():
        matching = [inner for pattern, inner in patterns.items() if re.search(pattern, name)]
        if name in properties:
            matching.append(properties[name])
        elif not matching:
            matching.append(schema.get("additionalProperties", True))
        for inner in matching:
            found += problems(item, inner, f"{path}.{name}")
    return found
