"""Kinds that are only asked, never stored: who am I, may I, whose token is this."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from infra.embedded.api import auth, body, rbac, reply
from infra.embedded.api.auth import User
from infra.embedded.api.body import type_name
from infra.embedded.api.context import Api, Call
from infra.embedded.api.rbac import Attributes
from infra.embedded.errors import BadRequest, Cause, Invalid, MethodNotAllowed
from infra.embedded.kinds import (
    LOCALACCESSREVIEW,
    SELFSUBJECTACCESSREVIEW,
    SELFSUBJECTREVIEW,
    SELFSUBJECTRULESREVIEW,
    SUBJECTACCESSREVIEW,
    TOKENREVIEW,
    Kind,
)

Obj = dict[str, Any]
Answer = Callable[[Api, Call, Obj], Obj]


async def review(api: Api, call: Call) -> Response:
    """Answer a review with its own body and a status."""
    raw = await body.read(call.request)
    obj, _ = body.decode_object(raw, body.media_type(call.request))
    answer = _ANSWERS.get(call.target.kind)
    if answer is None:
        raise MethodNotAllowed
    spec = obj.get("spec")
    status = answer(api, call, spec if isinstance(spec, dict) else {})
    kind = call.target.kind
    whole = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}, **obj}
    return reply.encoded({**whole, "status": status}, code=201)


def _myself(_: Api, call: Call, __: Obj) -> Obj:
    return {"userInfo": _info(call.user)}


def _info(user: User) -> Obj:
    return {"username": user.name, "groups": list(user.groups)}


def _whose(api: Api, _: Call, spec: Obj) -> Obj:
    user = auth.owner(str(spec.get("token", "")), api.token, api.lives)
    return {} if user is None else {"authenticated": True, "user": _info(user)}


def _may_i(api: Api, call: Call, spec: Obj) -> Obj:
    return _access(api, call, call.user, spec)


def _may_they(api: Api, call: Call, spec: Obj) -> Obj:
    groups = spec.get("groups") or ()
    if not isinstance(groups, list | tuple):
        raise BadRequest(
            f"json: cannot unmarshal {type_name(groups)} into Go struct field "
            f"{call.target.kind.kind}Spec.spec.groups of type []string"
        )
    user = User(str(spec.get("user", "")), tuple(str(group) for group in groups))
    return _access(api, call, user, spec)


def _access(api: Api, call: Call, user: User, spec: Obj) -> Obj:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if isinstance(resource, dict) == isinstance(path, dict):
        why = (
            "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes "
            "must be specified"
        )
        raise Invalid(
            call.target.kind, "", [Cause("FieldValueInvalid", why, "spec.resourceAttributes")]
        )
    if user.admin:
        return {"allowed": True}
    if isinstance(resource, dict):
        wanted = _attributes(resource)
        grant = rbac.allowed_by(rbac.grants(api.store, user, wanted.namespace), wanted)
    else:
        asked: Mapping[str, Any] = path or {}
        where, verb = str(asked.get("path", "")), str(asked.get("verb", ""))
        grant = rbac.path_allowed_by(rbac.grants(api.store, user, ""), where, verb)
    return {"allowed": False} if grant is None else {"allowed": True, "reason": grant.reason}


def _attributes(asked: Mapping[str, Any]) -> Attributes:
    def text(name: str) -> str:
        return str(asked.get(name) or "")

    return Attributes(
        text("verb"), text("group"), text("resource"), text("subresource"), text("namespace"),
        text("name"),
    )  # fmt: skip


def _my_rules(api: Api, call: Call, spec: Obj) -> Obj:
    """All that the caller may do in a namespace."""
    rules = [
        grant.rule for grant in rbac.grants(api.store, call.user, str(spec.get("namespace", "")))
    ]
    return {
        "resourceRules": [
            {k: rule[k] for k in ("verbs", "apiGroups", "resources", "resourceNames") if k in rule}
            for rule in rules
            if rule.get("resources")
        ],
        "nonResourceRules": [
            {k: rule[k] for k in ("verbs", "nonResourceURLs")}
            for rule in rules
            if rule.get("nonResourceURLs")
        ],
        "incomplete": False,
    }


_ANSWERS: dict[Kind, Answer] = {
    LOCALACCESSREVIEW: _may_they,
    SELFSUBJECTACCESSREVIEW: _may_i,
    SELFSUBJECTREVIEW: _myself,
    SELFSUBJECTRULESREVIEW: _my_rules,
    SUBJECTACCESSREVIEW: _may_they,
    TOKENREVIEW: _whose,
}
