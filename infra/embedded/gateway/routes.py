"""What the gateway is to do, from KIngress objects: pure functions and values."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Obj = Mapping[str, Any]

# Headers that tell the activator which revision is meant; the app never sees them.
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_ROUTING_HEADERS = ("knative-serving-namespace", "knative-serving-revision")


# The fields of Go's IngressSpec, each type's in its order: the hash that probes show is of them.
_FIELDS = (
    *("tls", "rules", "httpOption"),
    *("hosts", "secretName", "secretNamespace", "visibility", "http"),
    *("paths", "path", "rewriteHost", "headers", "splits", "appendHeaders"),
    *("serviceNamespace", "serviceName", "servicePort", "percent"),
)
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}  # as Go does


@dataclass(frozen=True, slots=True)
class Split:
    """A share of requests for one revision, or for a port of a plain Service, in percent."""

    namespace: str
    service: str
    percent: int
    headers: tuple[tuple[str, str], ...] = ()
    port: str = ""  # number or name; empty for a revision, which has its own ways

    @property
    def cluster(self) -> str:
        """The name of Envoy's cluster."""
        name = f"{self.namespace}/{self.service}"
        return f"{name}:{self.port}" if self.port else name


@dataclass(frozen=True, slots=True)
class Path:
    """Requests below a path prefix that carry certain headers, and where they go."""

    prefix: str
    match: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    rewrite_host: str
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Hosts and their paths; `external` hosts are served to the outside too."""

    hosts: tuple[str, ...]
    external: bool
    paths: tuple[Path, ...]

    @property
    def plain(self) -> bool:
        """Whether nothing but plain Services is behind it: nobody there answers probes."""
        return all(split.port for path in self.paths for split in path.splits)


@dataclass(frozen=True, slots=True)
class Tls:
    """Hosts whose certificate is in a Secret (`namespace/name`)."""

    hosts: tuple[str, ...]
    secret: str


@dataclass(frozen=True, slots=True)
class Routing:
    """One generation of a KIngress; `version` is equal for equal specs and shown by probes."""

    namespace: str
    name: str
    generation: int
    version: str
    redirect: bool
    rules: tuple[Rule, ...]
    tls: tuple[Tls, ...] = ()

    @property
    def splits(self) -> Iterator[Split]:
        """All splits of all rules."""
        for rule in self.rules:
            for path in rule.paths:
                yield from path.splits


def routing(ingress: Obj) -> Routing:
    """What a KIngress asks for; raises TypeError, ValueError and KeyError when it makes no sense.

    Nothing has checked it: it is served to whoever may write it, as an internal kind.
    """
    spec, meta = ingress["spec"], ingress["metadata"]
    text = json.dumps(_in_order(spec), separators=(",", ":"), ensure_ascii=False)
    text = text.translate(_ESCAPED) + meta["namespace"] + meta["name"]
    return Routing(
        namespace=meta["namespace"],
        name=meta["name"],
        generation=meta.get("generation", 1),
        version=hashlib.sha256(text.encode()).hexdigest(),
        redirect=spec.get("httpOption") == "Redirected",
        rules=tuple(_rule(rule, meta["namespace"]) for rule in spec.get("rules") or ()),
        tls=tuple(_tls(entry, meta["namespace"]) for entry in spec.get("tls") or ()),
    )


def _tls(entry: Obj, namespace: str) -> Tls:
    return Tls(
        hosts=tuple(_word(host) for host in entry.get("hosts") or ()),
        secret=f"{_word(entry.get('secretNamespace') or namespace)}/{_word(entry['secretName'])}",
    )


def _in_order(value: Any) -> Any:
    """The spec with its fields in the order of Go's types, those of maps by name."""
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    known = [key for key in _FIELDS if key in value]
    return {key: _in_order(value[key]) for key in (*known, *sorted(value.keys() - set(known)))}


def _rule(rule: Obj, namespace: str) -> Rule:
    paths = [_path(path, namespace) for path in (rule.get("http") or {}).get("paths") or ()]
    # Envoy takes the first match: longer prefixes and more headers come first.
    paths.sort(key=lambda path: (-len(path.prefix), -len(path.match)))
    return Rule(
        hosts=tuple(_word(host) for host in rule.get("hosts") or ()),
        external=rule.get("visibility") != "ClusterLocal",
        paths=tuple(paths),
    )


def _path(path: Obj, namespace: str) -> Path:
    match = [(_word(name), _exact(value)) for name, value in (path.get("headers") or {}).items()]
    return Path(
        prefix=_text(path.get("path") or "/"),
        match=tuple(sorted(match)),
        headers=_headers(path),
        rewrite_host=_text(path.get("rewriteHost") or ""),
        splits=tuple(_split(split, namespace) for split in _shares(path.get("splits") or ())),
    )


def _text(value: object) -> str:
    """A value that goes into Envoy's configuration, which refuses control characters."""
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(f"{value!r} is no text")
    return value


def _word(value: object) -> str:
    """The name of a host, a header or an object."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f"{value!r} is no name")
    return value


def _exact(match: Obj) -> str:
    return _text(match.get("exact", ""))


def _shares(splits: Sequence[Obj]) -> list[Obj]:
    """The splits that get requests; a single one gets all, whatever it says."""
    if len(splits) == 1:
        return [{**splits[0], "percent": 100}]
    return [split for split in splits if split.get("percent")]


def _split(split: Obj, namespace: str) -> Split:
    named = {name.lower() for name in split.get("appendHeaders") or ()}
    revision = _ROUTING_HEADERS[1] in named  # Knative's own routes always say which
    return Split(
        namespace=_word(split.get("serviceNamespace") or namespace),
        service=_word(split["serviceName"]),
        percent=int(split["percent"]),
        headers=_headers(split),
        port="" if revision else _word(str(split["servicePort"])),
    )


def _headers(owner: Obj) -> tuple[tuple[str, str], ...]:
    pairs = (owner.get("appendHeaders") or {}).items()
    return tuple(
        sorted((_word(k), _text(v)) for k, v in pairs if k.lower() not in _ROUTING_HEADERS)
    )
