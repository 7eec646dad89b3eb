"""Outputs of kubectl, as far as two clusters can agree on them.  Pure.

Taken out, besides what `normal` takes out: where a pod runs and on what machine, how the server
was built, pods and Services of components that are no pods here, pods that are ending, how many
replicas the seconds since the last request have left, what stage a service that is not ready yet
has reached, the prose of `explain`, the emulator's own API group, kubectl's own log, how many pods
a label selects for `logs`, and whether controllers wrote a status while it was patched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from tests.embedded.conformance.normal import differences, text, value

_SYSTEM = ("knative-serving", "kourier-system", "kube-system", "openshift-kube-apiserver")
_NOT_YET = " NOT-YET"
_PLACES = ("NODE", "IP", "INTERNAL-IP", "CLUSTER-IP", "OS-IMAGE", "KERNEL-VERSION",
           "CONTAINER-RUNTIME")  # fmt: skip
_COUNTS = ("ACTUAL REPLICAS", "DESIRED REPLICAS")
_CLIENT_LOG = re.compile(r"^I\d{4} [\d:.]+ +\d+ (loader|envvar)\.go:\d+\].*\n", re.MULTILINE)
_HTTP_LOG = re.compile(r"^([IWE]\d{4} |[\t ]|\s*>$).*\n", re.MULTILINE)
_BUILD_FACTS = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler")
_OWN_GROUP = re.compile(r"^.*\bemulator\.vpm\.dev\b.*\n|^openshift-\S+ .*\n", re.MULTILINE)
_EXPLAINED = re.compile(r"^(GROUP|KIND|VERSION|FIELDS?):|^ +\S+\t<", re.MULTILINE)
_REVISION = re.compile(r"\b([a-z0-9][a-z0-9-]*)-(\d{5})\b")


_WATCH_CUT = re.compile(r"^E.*reflector\.go.*context deadline exceeded.*\n", re.MULTILINE)


class Counters:
    """What a recording that begins after changes which it does not contain leaves open.

    Numbers of revisions are counted from the first one that both clusters showed; lines about
    objects of which nothing more than their existence is known are left out.
    """

    def __init__(self) -> None:
        self._ahead: dict[str, int] = {}
        self._unknown: set[str] = set()

    def unknown(self, names: Iterable[str]) -> None:
        """These objects had to be made as well as could be."""
        self._unknown.update(names)

    def without(self, lines: Iterable[str]) -> list[str]:
        """The lines that are not about such objects."""
        names = [rf"(?<![\w-]){re.escape(name)}(-\d{{5}})?(?![\w-])" for name in self._unknown]
        return [line for line in lines if not any(re.search(name, line) for name in names)]

    def align(self, command: str, wanted: str, got: str) -> str:
        """`got` with the numbers that the recorded cluster had reached."""
        if _REVISION.search(command):
            return got  # what is named is meant
        recorded, own = _highest(wanted), _highest(got)
        for name in recorded.keys() & own.keys():
            self._ahead.setdefault(name, recorded[name] - own[name])
        return _REVISION.sub(self._renumber, got)

    def _renumber(self, found: re.Match[str]) -> str:
        return f"{found[1]}-{int(found[2]) + self._ahead.get(found[1], 0):05d}"


def _highest(output: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name, number in _REVISION.findall(output):
        numbers[name] = max(numbers.get(name, 0), int(number))
    return numbers


def document_differences(command: str, wanted: str, got: str) -> list[str] | None:
    """Where two objects printed as YAML or JSON differ; None when they are no objects."""
    if not re.search(r"(-o ?|--output[ =])(yaml|json)\b|get --raw", command):
        return None
    try:
        before, after = yaml.safe_load(wanted), yaml.safe_load(got)
    except yaml.YAMLError:
        return None
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return None
    if _readiness(before) == "Unknown" and _readiness(after) == "True":
        before["status"] = after["status"] = None  # another machine is faster
    return differences(_document(before), _document(after))


def _readiness(obj: Any) -> str:
    status = obj.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return next((c.get("status") for c in conditions or () if c.get("type") == "Ready"), "")


def _document(obj: Any) -> Any:
    """An object with the managers of clients, and without counts of writes."""
    seen = value(obj)
    metadata = obj.get("metadata")
    if "serverVersion" in seen:
        for name in _BUILD_FACTS:
            seen["serverVersion"].pop(name, None)
    if not isinstance(metadata, dict):
        return seen
    entries = metadata.get("managedFields") or []
    # Controllers leave no entries: see COVERAGE.
    clients = [value(entry) for entry in entries if entry.get("subresource") != "status"]
    if clients:
        seen["metadata"]["managedFields"] = [{**c, "time": None} for c in clients]
    generation = seen["metadata"].pop("generation", None)
    status = seen.get("status")
    if isinstance(status, dict) and "observedGeneration" in status:
        status["observedGeneration"] = status["observedGeneration"] == generation
    return seen


def comparable(command: str, output: str) -> str:
    """An output without what differs between any two clusters."""
    whole = output if output.endswith("\n") else f"{output}\n"
    output = _OWN_GROUP.sub("", _WATCH_CUT.sub("", _CLIENT_LOG.sub("", whole)))
    if " explain " in command:
        lines = [line for line in output.splitlines() if _EXPLAINED.search(line)]
        return text("\n".join(lines))
    if re.search(r" -v[= ]?\d", command):
        output = _HTTP_LOG.sub("", output)
    if "resourceVersion" in command:
        output = re.sub(r"^\d+\b", "RV", output)
    if " logs " in command and " -l " in command:
        output = "\n".join(sorted({text(line) for line in output.splitlines()}))
    if " patch " in command and '{"status"' in command:
        output = output.replace(" patched (no change)", " patched")
    if " get " in command:
        output = "\n\n".join(_table(block) for block in output.split("\n\n"))
    return text(output)


def _table(block: str) -> str:
    lines = block.strip("\n").splitlines()
    if not lines or not re.match(r"[A-Z][A-Z ()/-]+$", lines[0].rstrip()):
        return block
    columns = [(found.start(), found[0]) for found in re.finditer(r"\S+(?: \S+)*", lines[0])]
    rows = [_cells(columns, line) for line in lines[1:]]
    if any(row is None for row in rows):
        return block
    shown = [_row(row) for row in rows if row is not None and not _is_elsewhere(row)]
    if "ADDRESSTYPE" in lines[0]:
        shown = sorted(text(row) for row in shown)  # their names are generated
    return "\n".join([" ".join(name for _, name in columns), *shown]) if shown else ""


def _cells(columns: list[tuple[int, str]], line: str) -> dict[str, str] | None:
    """The cells of a row by column; None for a line that is not aligned with the columns."""
    ends = [start for start, _ in columns[1:]] + [len(line) + 1]
    if any(line[start - 1 : start].strip() for start, _ in columns[1:]):
        return None
    return {name: line[start:end].strip() for (start, name), end in zip(columns, ends, strict=True)}


def _is_elsewhere(row: dict[str, str]) -> bool:
    """Whether a row is about something that no other cluster has."""
    workload = "RESTARTS" in row or "CLUSTER-IP" in row
    return (workload and row.get("NAMESPACE") in _SYSTEM) or row.get("STATUS") == "Terminating"


def _row(row: dict[str, str]) -> str:
    if "CONTAINER-RUNTIME" in row:
        row = row | {"NAME": "NODE"}
    if "GENERATION" in row and (found := re.search(r"-(\d{5})$", row.get("NAME", ""))):
        row = row | {"GENERATION": "=" if int(found[1]) == int(row["GENERATION"] or 0) else "!="}
    if {"ADDRESSTYPE", "PORTS"} <= row.keys():
        row = row | {"PORTS": str(_ports(row["PORTS"]))}  # they have no order
    if {"READY", "REASON", "URL"} <= row.keys() and row["READY"] in ("", "Unknown"):
        row = {"NAME": row["NAME"], "READY": _NOT_YET.strip()}
    return " ".join(_shown(name, cell) for name, cell in row.items())


def _shown(column: str, cell: str) -> str:
    if column in _PLACES:
        return "PLACE"
    return "N" if column in _COUNTS else cell


def _ports(cell: str) -> int:
    """How many ports an EndpointSlice's cell stands for: `80,81,82 + 3 more...`."""
    more = re.search(r"\+ (\d+) more", cell)
    return len(cell.split(" ")[0].split(",")) + (int(more[1]) if more else 0)


def overtaken(wanted: list[str], got: list[str]) -> list[str]:
    """`got`, where a service that was not ready in the recording yet may be ready already."""
    early = {line.removesuffix(_NOT_YET) for line in wanted if line.endswith(_NOT_YET)}
    return [
        f"{name}{_NOT_YET}" if (name := line.split(" ")[0]) in early and " True" in line else line
        for line in got
    ]


def lines_of(output: str) -> Iterator[str]:
    """Lines of an output; rows that begin with a generated name count in any order."""
    lines = output.splitlines()
    yield from sorted(lines) if output.startswith(("TIME", "NAMESPACE", "LAST SEEN")) else lines
