"""What a request is about: its path as a target, its query as options.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.embedded.errors import BadRequest, NotFound, StatusError
from infra.embedded.kinds import NAMESPACE, Kind, Registry


class PageNotFound(Exception):
    """No such path: answered in plain text, as the API server does outside its groups."""


@dataclass(frozen=True, slots=True)
class Target:
    """The resource that a path names; `name` is None for a collection."""

    kind: Kind
    namespace: str | None
    name: str | None = None
    subresource: str | None = None

    @property
    def space(self) -> str:
        return self.namespace or ""


def parse(registry: Registry, path: str) -> Target:
    """Parse `/api/v1/...` or `/apis/GROUP/VERSION/...`; raises PageNotFound or a 404 Status."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise PageNotFound(path)
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and not _is_namespace_part(group, rest[2]):
        namespace, rest = rest[1], rest[2:]
    kind = registry.find(group, version, rest[0])
    if kind is None:
        if not any(k.group == group and k.version == version for k in registry):
            raise PageNotFound(path)
        raise _unknown_resource()
    if len(rest) > 3 or (namespace is not None and not kind.namespaced) or "" in rest:
        raise _unknown_resource()
    name, subresource = (*rest[1:], None, None)[:2]
    if name is not None and kind.namespaced and namespace is None:
        raise _unknown_resource()
    if subresource not in (None, *(["status"] if kind.status else []), *kind.subresources):
        raise NotFound(kind, name or "") if kind.custom else _unknown_resource()
    return Target(kind, namespace, name, subresource)


def _is_namespace_part(group: str, word: str) -> bool:
    return not group and word in ("status", *NAMESPACE.subresources)


def _unknown_resource() -> StatusError:
    error = StatusError("the server could not find the requested resource", details={}, code=404)
    error.reason = "NotFound"
    return error


@dataclass(frozen=True, slots=True)
class Options:
    """The query parameters that change what a verb does."""

    watch: bool = False
    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    match: str = ""  # how exactly the version is meant
    limit: int = 0
    continue_: str = ""
    timeout: int = 0  # seconds, 0 is the server's choice
    bookmarks: bool = False
    send_initial: bool = False
    dry_run: bool = False
    manager: str = ""
    validation: str = "Warn"
    force: bool = False


_VALIDATIONS = ("", "Strict", "Warn", "Ignore")


def options(query: Mapping[str, str], user_agent: str) -> Options:
    """Parse the query; raises BadRequest for values that Kubernetes refuses."""
    validation = query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        raise BadRequest(f"fieldValidation: Unsupported value: {validation!r}")
    return Options(
        watch=_flag(query, "watch"),
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        resource_version=_revision(query),
        match=_match(query),
        limit=_number(query, "limit"),
        continue_=query.get("continue", ""),
        timeout=_number(query, "timeoutSeconds"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        send_initial=_flag(query, "sendInitialEvents"),
        dry_run=dry_run(query.get("dryRun", "")),
        manager=query.get("fieldManager") or user_agent.split("/")[0] or "unknown",
        validation=validation or "Warn",
        force=_flag(query, "force"),
    )


def dry_run(value: str) -> bool:
    """`All` or nothing; raises BadRequest for anything else."""
    if value in ("", "All"):
        return bool(value)
    raise BadRequest(f'dryRun: Unsupported value: "{value}": supported values: "All"')


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "t")


def _match(query: Mapping[str, str]) -> str:
    text = query.get("resourceVersionMatch", "")
    if text not in ("", "Exact", "NotOlderThan"):
        raise BadRequest(
            f'resourceVersionMatch: Unsupported value: "{text}": supported values: "Exact", '
            f'"NotOlderThan", ""'
        )
    return text


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    try:
        return max(0, int(text))
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _revision(query: Mapping[str, str]) -> str:
    text = query.get("resourceVersion", "")
    if text and not (text.isascii() and text.isdigit()):
        raise BadRequest(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: '
                         f'parsing "{text}": invalid syntax')  # fmt: skip
    return text
