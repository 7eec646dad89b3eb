"""OpenAPI: enough that kubectl knows what the server understands, and what fields there are."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from infra.embedded.api.marked import REQUIRED
from infra.embedded.api.shapes import Shape, of_kind
from infra.embedded.kinds import Kind, Registry

Obj = dict[str, Any]
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]
_FORCE = {"name": "force", "in": "query", "schema": {"type": "boolean", "uniqueItems": True}}
_SCALARS: dict[str, Obj] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "quantity": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "intstr": {"x-kubernetes-int-or-string": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}


class Documents:
    """The documents of the kinds that are served; made again when the kinds change."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._documents: dict[str, bytes] = {}
        self._index: dict[str, Obj] = {}

    def index(self) -> Obj:
        """The list of documents, each with a hash that changes when the document does."""
        self._refresh()
        return {"paths": self._index}

    def document(self, name: str) -> bytes | None:
        """One document (`api/v1`, `apis/GROUP/VERSION`) as JSON; None when it is not served."""
        self._refresh()
        return self._documents.get(name)

    def _refresh(self) -> None:
        if self._generation == self._registry.generation:
            return
        self._generation = self._registry.generation
        kinds: dict[str, list[Kind]] = {}
        for kind in self._registry:
            kinds.setdefault(_document_name(kind), []).append(kind)
        self._documents = {
            name: json.dumps(_document(of_version), separators=(",", ":")).encode()
            for name, of_version in kinds.items()
        }
        self._documents |= _about_groups(kinds.values())
        self._index = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_digest(content)}"}
            for name, content in sorted(self._documents.items())
        }


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


def _digest(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest().upper()


def _about_groups(documents: Iterable[list[Kind]]) -> dict[str, bytes]:
    """The small documents about discovery, which describe no resource."""
    kinds = [kind for of_version in documents for kind in of_version]
    names = {f"apis/{kind.group}" for kind in kinds if kind.group and not kind.custom}
    return {name: _page_document(name) for name in {"api", "apis", "version", *names}}


def _page_document(name: str) -> bytes:
    operation = {"description": f"get /{name}/", "responses": {"200": {"description": "OK"}}}
    document = {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {f"/{name}/": {"get": operation}},
        "components": {},
    }
    return json.dumps(document, separators=(",", ":")).encode()


_INFO = {"title": "Kubernetes", "version": "v1.33.13"}
_CUSTOM_INFO = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}


def _document(kinds: Iterable[Kind]) -> Obj:
    schemas: dict[str, Obj] = {}
    paths: dict[str, Obj] = {}
    custom = False
    for kind in kinds:
        custom = kind.custom
        paths |= _paths(kind)
        schemas[_schema_name(kind)] = _schema(kind, schemas)
    return {
        "openapi": "3.0.0",
        "info": _CUSTOM_INFO if custom else _INFO,
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _document_name(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _schema_name(kind: Kind) -> str:
    domain = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{domain}.{kind.version}.{kind.kind}"


def _gvk(kind: Kind) -> Obj:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(kind: Kind, schemas: dict[str, Obj]) -> Obj:
    shape = of_kind(kind)
    named: Obj = {"x-kubernetes-group-version-kind": [_gvk(kind)]}
    if shape is None:
        return named | {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return _object(shape, schemas, inline=kind.custom) | named


def _object(shape: Shape, schemas: dict[str, Obj], *, inline: bool) -> Obj:
    """An object; the schemas of custom kinds name no types but that of metadata."""
    properties = {
        name: _of(child, schemas, inline=inline and name != "metadata")
        for name, child in sorted(shape.fields.items())
    }
    keeps = {"x-kubernetes-preserve-unknown-fields": True} if shape.open else {}
    return {"type": "object", "properties": properties, **keeps, **_required(shape)}


def _required(shape: Shape) -> Obj:
    """The fields that must be there, of a built-in type or as a CRD's schema says."""
    marked = REQUIRED.get(shape.go.rpartition(".")[2]) or shape.schema.get("required") or ()
    return {"required": sorted(set(marked) & shape.fields.keys())} if marked else {}


def _of(shape: Shape, schemas: dict[str, Obj], *, inline: bool) -> Obj:
    described = {"description": str(shape.schema["description"])} if (
        "description" in shape.schema
    ) else {}  # fmt: skip
    if shape.sort == "list":
        return {
            "type": "array",
            "items": _of(shape.items or Shape("any"), schemas, inline=inline),
        } | described
    if shape.sort == "map":
        values = _of(shape.items or Shape("any"), schemas, inline=inline)
        return {"type": "object", "additionalProperties": values} | described
    if shape.sort != "object":
        return _SCALARS[shape.sort] | described
    if inline or not shape.go:
        return _object(shape, schemas, inline=inline) | described
    name = f"io.k8s.{shape.go}"
    if name not in schemas:
        schemas[name] = {}  # known from now on: types refer to themselves
        schemas[name] = _object(shape, schemas, inline=False)
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(kind: Kind) -> dict[str, Obj]:
    base = f"/{_document_name(kind)}" + ("/namespaces/{namespace}" if kind.namespaced else "")
    patches = ["application/apply-patch+yaml", "application/json-patch+json"]
    patches += ["application/merge-patch+json"]
    if not kind.custom:
        patches += ["application/strategic-merge-patch+json"]
    item = {
        "get": _operation(kind, "get"),
        "patch": _operation(kind, "patch", [*_PARAMETERS, _FORCE], patches),
        "put": _operation(kind, "put", _PARAMETERS, ["application/json"]),
        "delete": _operation(kind, "delete", _PARAMETERS[:1]),
    }
    collection = {
        "get": _operation(kind, "list"),
        "post": _operation(kind, "post", _PARAMETERS, ["application/json"]),
    }
    paths = {f"{base}/{kind.plural}": collection, f"{base}/{kind.plural}/{{name}}": item}
    if kind.status:
        status = {verb: item[verb] for verb in ("get", "patch", "put")}
        paths[f"{base}/{kind.plural}/{{name}}/status"] = status
    if kind.namespaced:
        everywhere = {"get": collection["get"]}
        paths[f"/{_document_name(kind)}/{kind.plural}"] = everywhere
    return paths


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
