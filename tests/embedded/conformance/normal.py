"""What differs between any two clusters, taken out of outputs and objects.  Pure."""

from __future__ import annotations

import re
from typing import Any

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), put)
    for pattern, put in (
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000)?", "TIME"),
        (r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)?", "TIME"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d( GMT| \+0000)?", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b127\.\d+\.\d+\.\d+\.sslip\.io\b", "DOMAIN"),
        (r"(\S*/)?(LIVE|MERGED)-\d+", r"\2-N"),
        (r"^[EWI]\d{4} [\d:.]+ +\d+ ", "KLOG "),
        (r'(resourceVersion"?: )"\d+"', r'\1"RV"'),
        (r"(Resource Version:) +\d+", r"\1 RV"),
        (r"(deployment|-deployment)-[a-z0-9]{7,10}-[a-z0-9]{5}\b", r"\1-HASH-POD"),
        (r"(deployment|-deployment)-[a-z0-9]{7,10}\b", r"\1-HASH"),
        (r"pod-template-hash=[a-z0-9]+", "pod-template-hash=HASH"),
        (r"kube-api-access-[a-z0-9]{5}", "kube-api-access-XXXXX"),
        (r"^(\S+(?:-00\d+|-private))-[a-z0-9]{5}(?=\s|$)", r"\1-XXXXX"),
        (r"v1\.33\.\d+[^\s\"]*", "VERSION"),
        (r"\S+/(knative/queue|serving/cmd/queue)[:@][^\s,\"]+", "QUEUE-IMAGE"),
        (r"https://[\w.-]+:\d+", "https://SERVER"),
        (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", "ADDRESS"),
        (r"\b(\d+d)?(\d+h)?(\d+m)?\d+s\b|\b\d+m\b|\b\d+h(\d+m)?\b", "AGE"),
        (r"(x-envoy-upstream-service-time:) \d+", r"\1 MS"),
        (r"@sha256:[0-9a-f]{64}", "@DIGEST"),
        (r"[ \t]+$", ""),
        (r" {2,}", " "),
    )
)
# A pull that fails is tried again and again: at which half of it a controller looks is chance.
_PULL_HALVES = re.compile(r'(ImagePullBackOff: )?Back-off pulling image "[^"]+": (?=ErrImagePull)')
_PULL_FAILED = re.compile(r"ErrImagePull: ")
# Fields of objects that have another value in each cluster.
_FIELDS = frozenset(
    ["uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink", "lastProbeTime",
     "lastTransitionTime", "lastUpdateTime", "startedAt", "finishedAt", "startTime",
     "containerID", "imageID", "clusterIP", "clusterIPs", "nodeName", "pod-template-hash"]
)  # fmt: skip


def text(output: str) -> str:
    """An output without times, ages, addresses, hashes and the width of columns."""
    for pattern, put in _RULES:
        output = pattern.sub(put, output)
    return output.strip()


def either_half(shown: str) -> str:
    """A failing pull's message, whichever of its two halves it tells of."""
    return _PULL_FAILED.sub("", _PULL_HALVES.sub("", shown))


def value(found: Any) -> Any:
    """An object without what another cluster has otherwise."""
    if isinstance(found, dict):
        return {text(key): value(inner) for key, inner in found.items() if key not in _FIELDS}
    if isinstance(found, list):
        inner = [value(item) for item in found]
        named = all(isinstance(item, dict) and "port" in item for item in inner)
        return sorted(inner, key=_port) if named else inner  # ports have no order of their own
    return text(found) if isinstance(found, str) else found


def _port(item: dict[str, Any]) -> str:
    return f"{item.get('name', '')}/{item['port']}"


def differences(wanted: Any, got: Any, path: str = "") -> list[str]:
    """Where two values differ: `path: wanted -> got`, at most one line a place."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [
            line
            for key in sorted(wanted.keys() | got.keys())
            for line in differences(wanted.get(key), got.get(key), f"{path}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [
            line
            for index, (a, b) in enumerate(zip(wanted, got, strict=True))
            for line in differences(a, b, f"{path}[{index}]")
        ]
    return [] if wanted == got else [f"{path or '.'}: {_short(wanted)} -> {_short(got)}"]


def _short(found: Any) -> str:
    shown = repr(found)
    return shown if len(shown) <= 160 else f"{shown[:157]}..."
