"""CustomResourceDefinitions: their defaults, what they must say, and what is not done with them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.embedded.admission.attempt import Attempt, Obj
from infra.embedded.errors import Cause, Invalid

_NAMES = ("kind", "plural")
_SCOPES = ("Cluster", "Namespaced")


def default(attempt: Attempt) -> Obj:
    """Fill in names, list kind and the conversion that is none; raises Invalid."""
    obj = attempt.obj
    causes = list(_mistakes(obj))
    if causes:
        raise Invalid(attempt.kind, str(obj["metadata"].get("name", "")), causes)
    names = obj["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    obj["spec"].setdefault("conversion", {"strategy": "None"})
    return obj


def unserved(obj: Obj) -> Iterator[str]:
    """A warning for each thing that a definition asks for and nobody does here."""
    if obj["spec"].get("conversion", {}).get("strategy") == "Webhook":
        yield "spec.conversion: conversion webhooks are not called by the embedded cluster"
    for version in obj["spec"]["versions"]:
        rules = list(_rules(version["schema"]["openAPIV3Schema"], ""))
        for path in rules:
            yield (
                f"spec.versions[{version['name']}]: the x-kubernetes-validations of "
                f"{path or 'the object'} are not evaluated by the embedded cluster"
            )


def _rules(schema: Any, path: str) -> Iterator[str]:
    """Where a schema has rules in CEL."""
    if not isinstance(schema, dict):
        return
    if schema.get("x-kubernetes-validations"):
        yield path
    for name, inner in (schema.get("properties") or {}).items():
        yield from _rules(inner, f"{path}.{name}")
    yield from _rules(schema.get("items"), f"{path}[*]")
    yield from _rules(schema.get("additionalProperties"), f"{path}.*")


def _mistakes(obj: Obj) -> Iterator[Cause]:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        yield _required("spec")
        return
    names = spec.get("names")
    names = names if isinstance(names, dict) else {}
    texts = {"spec.group": spec.get("group"), **{f"spec.names.{n}": names.get(n) for n in _NAMES}}
    missing = [path for path, text in texts.items() if not (isinstance(text, str) and text)]
    for path in missing:
        yield _required(path)
    if not missing:
        wanted = f"{names['plural']}.{spec['group']}"
        name = obj["metadata"].get("name")
        if name != wanted:
            why = 'must be spec.names.plural+"."+spec.group'
            yield Cause("FieldValueInvalid", f'Invalid value: "{name}": {why}', "metadata.name")
    if spec.get("scope") not in _SCOPES:
        shown = ", ".join(f'"{scope}"' for scope in _SCOPES)
        message = f'Unsupported value: "{spec.get("scope") or ""}": supported values: {shown}'
        yield Cause("FieldValueNotSupported", message, "spec.scope")
    for field in ("shortNames", "categories"):
        if not _are_texts(names.get(field) or []):
            message = "Invalid value: must be a list of strings"
            yield Cause("FieldValueInvalid", message, f"spec.names.{field}")
    yield from _version_mistakes(spec.get("versions"))


def _version_mistakes(versions: Any) -> Iterator[Cause]:
    if not isinstance(versions, list) or not versions:
        yield _required("spec.versions")
        return
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not isinstance(version, dict) or not isinstance(version.get("name"), str):
            yield _required(f"{path}.name")
            continue
        schema = version.get("schema")
        schema = schema.get("openAPIV3Schema") if isinstance(schema, dict) else None
        if not isinstance(schema, dict):
            message = "Required value: schemas are required"
            yield Cause("FieldValueRequired", message, f"{path}.schema.openAPIV3Schema")
        else:
            yield from _schema_mistakes(schema, f"{path}.schema.openAPIV3Schema")
        yield from _column_mistakes(version.get("additionalPrinterColumns") or [], path)
    stored = [v for v in versions if isinstance(v, dict) and v.get("storage") is True]
    if len(stored) != 1:
        message = "Invalid value: must have exactly one version marked as storage version"
        yield Cause("FieldValueInvalid", message, "spec.versions")


_PARTS: Mapping[str, type] = {
    "properties": dict, "required": list, "enum": list, "type": str, "pattern": str,
}  # fmt: skip


def _schema_mistakes(schema: dict[str, Any], path: str) -> Iterator[Cause]:
    for name, wanted in _PARTS.items():
        if name in schema and not isinstance(schema[name], wanted):
            message = f"Invalid value: {schema[name]!r}: must be of type {wanted.__name__}"
            yield Cause("FieldValueTypeInvalid", message, f"{path}.{name}")
            return
    if not _compiles(schema.get("pattern", "")):
        message = f'Invalid value: "{schema["pattern"]}": not a regular expression'
        yield Cause("FieldValueInvalid", message, f"{path}.pattern")
    inner = {f"{path}.properties[{name}]": s for name, s in schema.get("properties", {}).items()}
    if "items" in schema:
        inner[f"{path}.items"] = schema["items"]
    if not isinstance(schema.get("additionalProperties", True), bool):
        inner[f"{path}.additionalProperties"] = schema["additionalProperties"]
    for place, value in inner.items():
        if isinstance(value, dict):
            yield from _schema_mistakes(value, place)
        else:
            yield Cause("FieldValueTypeInvalid", "Invalid value: must be an object", place)


def _column_mistakes(columns: Any, path: str) -> Iterator[Cause]:
    for index, column in enumerate(columns if isinstance(columns, list) else [None]):
        fields = column if isinstance(column, dict) else {}
        for name in ("name", "jsonPath", "type"):
            if not isinstance(fields.get(name), str):
                yield _required(f"{path}.additionalPrinterColumns[{index}].{name}")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _required(path: str) -> Cause:
    return Cause("FieldValueRequired", "Required value", path)
