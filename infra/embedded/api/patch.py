"""Patches: JSON Patch, JSON Merge Patch and strategic merge patch.  Pure."""

import copy
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from infra.embedded.api.strategic import strategic_merge
from infra.embedded.errors import BadRequest, StatusError, UnsupportedMediaType
from infra.embedded.kinds import Kind

Obj = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_OPERATIONS = 10_000  # the API server's own limit


def apply(kind: Kind, obj: Obj, patch: Any, media: str) -> Obj:
    """A patched copy of an object; raises a StatusError."""
    if media == JSON_PATCH:
        return _json_patch(obj, patch)
    if media == MERGE_PATCH:
        return _object(merge(obj, _object(patch)))
    if media == STRATEGIC and not kind.custom:
        return strategic_merge(kind.kind, obj, _object(patch))
    accepted = [JSON_PATCH, MERGE_PATCH, APPLY]
    if not kind.custom:
        accepted.insert(2, STRATEGIC)
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _object(patch: Any) -> Obj:
    if not isinstance(patch, dict):
        raise BadRequest("the patch is not a JSON object")
    return patch


def _json_patch(obj: Obj, patch: Any) -> Obj:
    if not isinstance(patch, list):
        raise BadRequest("a JSON patch is a list of operations")
    if len(patch) > _OPERATIONS:
        raise BadRequest(f"the allowed maximum operations in a JSON patch is {_OPERATIONS}")
    try:
        result = jsonpatch.JsonPatch(patch).apply(copy.deepcopy(obj))
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        refusal = StatusError(
            "the server rejected our request due to an error in our request", details={}, code=422
        )
        refusal.reason = "Invalid"
        raise refusal from error
    return _object(result)
