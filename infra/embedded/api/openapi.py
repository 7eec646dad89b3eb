"""OpenAPI v3: enough of it that kubectl knows what the server understands."""

import hashlib
import json
from typing import Any

from infra.embedded.kinds import Kind, Registry

Obj = dict[str, Any]
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]
_FORCE = {"name": "force", "in": "query", "schema": {"type": "boolean", "uniqueItems": True}}


V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def v2(accept: str) -> tuple[bytes, str]:
    """An OpenAPI v2 document without definitions, and its media type.

    kubectl asks for it, in protobuf, when v3 does not know a kind; a document that does not know
    it either lets it go on to the message about the unknown kind.
    """
    title, version = b"Kubernetes", b"v1.33.13"
    if "protobuf" in accept:
        info = _text_field(1, title) + _text_field(2, version)
        return _text_field(1, b"2.0") + _text_field(2, info), V2_PROTOBUF
    info_json = {"title": title.decode(), "version": version.decode()}
    content = {"swagger": "2.0", "info": info_json, "paths": {}, "definitions": {}}
    return json.dumps(content).encode(), "application/json"


def _text_field(number: int, value: bytes) -> bytes:
    """A protobuf field of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def index(registry: Registry) -> Obj:
    """The list of documents, each with a hash that changes when the document does."""
    paths = {}
    for name in dict.fromkeys(_document_name(kind) for kind in registry):
        content = json.dumps(document(registry, name), sort_keys=True).encode()
        digest = hashlib.sha512(content).hexdigest().upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, name: str) -> Obj | None:
    """One document (`api/v1`, `apis/GROUP/VERSION`); None when it is not served."""
    kinds = [kind for kind in registry if _document_name(kind) == name]
    if not kinds:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.33.13"},
        "paths": {path: item for kind in kinds for path, item in _paths(kind).items()},
        "components": {"schemas": {_schema_name(kind): _schema(kind) for kind in kinds}},
    }


def _document_name(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _schema_name(kind: Kind) -> str:
    domain = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{domain}.{kind.version}.{kind.kind}"


def _gvk(kind: Kind) -> Obj:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(kind: Kind) -> Obj:
    return {
        "type": "object",
        "x-kubernetes-group-version-kind": [_gvk(kind)],
        "x-kubernetes-preserve-unknown-fields": True,
    }


def _paths(kind: Kind) -> dict[str, Obj]:
    base = f"/{_document_name(kind)}" + ("/namespaces/{namespace}" if kind.namespaced else "")
    patches = ["application/apply-patch+yaml", "application/json-patch+json"]
    patches += ["application/merge-patch+json"]
    if not kind.custom:
        patches += ["application/strategic-merge-patch+json"]
    patch = _operation(kind, "patch", [*_PARAMETERS, _FORCE], patches)
    item = {"get": _operation(kind, "get"), "patch": patch}
    item["put"] = _operation(kind, "put", _PARAMETERS, ["application/json"])
    item["delete"] = _operation(kind, "delete", _PARAMETERS[:1])
    collection = {
        "get": _operation(kind, "list"),
        "post": _operation(kind, "post", _PARAMETERS, ["application/json"]),
    }
    return {f"{base}/{kind.plural}": collection, f"{base}/{kind.plural}/{{name}}": item}


def _operation(
    kind: Kind, action: str, parameters: list[Obj] | None = None, consumes: list[str] | None = None
) -> Obj:
    reference = {"$ref": f"#/components/schemas/{_schema_name(kind)}"}
    operation: Obj = {
        "responses": {"200": {"content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    if parameters:
        operation["parameters"] = parameters
    if consumes:
        content = {media: {"schema": {"type": "object"}} for media in consumes}
        operation["requestBody"] = {"content": content}
    return operation
