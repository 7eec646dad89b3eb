"""Rules for names, labels and the other parts of metadata.  Pure."""

import re
from typing import Any

from infra.embedded.errors import Cause, Invalid
from infra.embedded.kinds import NAMESPACE, SERVICE, Kind

Obj = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    f"for validation is '{_LABEL}')"
)
DNS1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    f"regex used for validation is '{_DNS1035}')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    f"or '12345', regex used for validation is '{_VALUE}')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_PATH_NAMES = frozenset(["roles", "clusterroles", "rolebindings", "clusterrolebindings"])


def check_metadata(kind: Kind, obj: Obj) -> None:
    """Raise Invalid for a metadata that Kubernetes would not store."""
    meta = obj.get("metadata") or {}
    name = meta.get("name", "")
    causes = [*_name(kind, meta), *_labels(meta.get("labels"), "metadata.labels")]
    causes += _owners(meta.get("ownerReferences") or [])
    causes += [
        _invalid("metadata.annotations", key, _QUALIFIED_RULE)
        for key in meta.get("annotations") or {}
        if not _is_qualified(key.lower())
    ]
    if causes:
        raise Invalid(kind, name, causes)


def _owners(references: list[Obj]) -> list[Cause]:
    return [
        Cause(
            "FieldValueRequired", "Required value: must not be empty",
            f"metadata.ownerReferences[{index}].{field}",
        )
        for index, reference in enumerate(references)
        for field in ("apiVersion", "kind", "name", "uid")
        if not reference.get(field)
    ]  # fmt: skip


def _name(kind: Kind, meta: Obj) -> list[Cause]:
    name = meta.get("name", "")
    if not name and meta.get("generateName"):
        return []
    if not name:
        message = "Required value: name or generateName is required"
        return [Cause("FieldValueRequired", message, "metadata.name")]
    pattern, rule, longest = _rule(kind)
    problems = []
    if len(name) > longest:
        problems.append(f"must be no more than {longest} characters")
    if not re.fullmatch(pattern, name):
        problems.append(rule)
    return [_invalid("metadata.name", name, problem) for problem in problems]


def _rule(kind: Kind) -> tuple[str, str, int]:
    if kind == NAMESPACE:
        return _LABEL, LABEL_RULE, 63
    if kind == SERVICE:
        return _DNS1035, DNS1035_RULE, 63
    if kind.plural in _PATH_NAMES:
        return r"(?!\.\.?$)[^/%]+", "may not contain '/' or '%'", 253
    return _SUBDOMAIN, SUBDOMAIN_RULE, 253


def _labels(labels: Obj | None, path: str) -> list[Cause]:
    causes = []
    for key, value in (labels or {}).items():
        if not _is_qualified(key):
            causes.append(_invalid(path, key, _QUALIFIED_RULE))
        if len(str(value)) > 63:
            causes.append(_invalid(path, value, "must be no more than 63 bytes"))
        elif not re.fullmatch(_VALUE, str(value)):
            causes.append(_invalid(path, value, _VALUE_RULE))
    return causes


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (not re.fullmatch(_SUBDOMAIN, prefix) or len(prefix) > 253):
        return False
    return bool(re.fullmatch(_QUALIFIED, name)) and len(name) <= 63


def _invalid(field: str, value: Any, rule: str) -> Cause:
    return Cause("FieldValueInvalid", f'Invalid value: "{value}": {rule}', field)
