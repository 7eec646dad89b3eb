"""Recorded durations of a machine: here they may be shorter, but not much longer.

The allowance is twice what was recorded and a second, for the machines differ; what a clock
decides (the drain of a pod) must also not be shorter than recorded, less a tenth and a second.
"""

from __future__ import annotations

import json
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from harness.timing.clock import SystemClock
from harness.timing.wait import WaitTimeout, until
from tests.embedded.conformance import services
from tests.embedded.conformance.load import Client, Target, ask, codes, during
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document, number
from tests.embedded.conformance.services import Manifest, place

_SLOWER, _SPARE = 2.0, 1.0
_SHORTER = 0.9
_RUNS, _REQUESTS = 5, 300
_NAMESPACE = "tm"


def late(what: str, recorded: float, seconds: float) -> Iterator[str]:
    """A line when something took longer than allowed."""
    limit = recorded * _SLOWER + _SPARE
    if seconds > limit:
        yield f"{what}: {recorded:.2f} s -> {seconds:.2f} s (at most {limit:.2f} s)"


def off(what: str, recorded: float, seconds: float) -> Iterator[str]:
    """A line when something that a clock decides took longer or shorter than allowed."""
    yield from late(what, recorded, seconds)
    least = recorded * _SHORTER - _SPARE
    if seconds < least:
        yield f"{what}: {recorded:.2f} s -> {seconds:.2f} s (at least {least:.2f} s)"


def areas(root: Path) -> Iterator[Area]:
    """Files with durations: of provisioning and requests, of one service, of an update."""
    for path in sorted(root.rglob("*.json")):
        content = document(path)
        if not isinstance(content, dict):
            continue
        name = str(path.relative_to(root).with_suffix(""))
        parts = list(_parts(content))
        if parts:
            yield Area(name, _replayer(path, parts), (path,), seconds=60.0)
        elif "ready_event_s" in content:
            yield Area(name, _one(path, 1, number(content["ready_event_s"])), (path,))
        elif "ready_gen2_s" in content:
            yield Area(name, _one(path, 2, number(content["ready_gen2_s"])), (path,))
        elif {"first_new_s", "wait_ready_s", "non200"} <= content.keys():
            yield Area(name, _update(path, content), (path,))


Part = Callable[[Replay, Manifest], Iterator[Case]]


def _parts(content: Mapping[str, Any]) -> Iterator[tuple[str, Part]]:
    """What of a file of measurements can be measured again."""
    for title, recorded in content.items():
        for pattern, part in _MEASURED:
            if re.search(pattern, title):
                yield title, partial(part, recorded=recorded)


def _replayer(path: Path, parts: Sequence[tuple[str, Part]]) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        hello = _hello(what.root, path.parent)
        if hello is None or not what.cluster.embedded:
            yield Case("all", skipped="needs a recorded hello and the embedded cluster's gateway")
            return
        what.cluster.kubectl("create", "namespace", _NAMESPACE)
        for title, part in parts:
            try:
                yield from part(what, hello)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                yield Case(title, skipped=f"malformed: {type(error).__name__}: {error}")

    return replay


def _hello(root: Path, folder: Path) -> Manifest | None:
    """The usual service: the first one in a file."""
    return next(services.manifests(root, folder), None)


def named(manifest: Manifest, name: str, namespace: str, **annotations: str) -> dict[str, Any]:
    """A service like another one, under a name of its own."""
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    copy["metadata"] = {"name": name, "namespace": namespace}
    template = copy["spec"]["template"]
    template["metadata"] = {"annotations": {f"autoscaling.knative.dev/{k.replace('_', '-')}": v
                                            for k, v in annotations.items()}}  # fmt: skip
    return copy


def _ready(what: Replay, name: str, namespace: str) -> bool:
    options = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=60s"]
    return what.cluster.kubectl("wait", *options, timeout=90).code == 0


def _one_by_one(what: Replay, hello: Manifest, recorded: Mapping[str, Any]) -> Iterator[Case]:
    """Services one at a time: the order of stages, and how long READY and an answer take."""
    took, answered = [], []
    for index in range(min(_RUNS, len(recorded["runs"]))):
        name = f"one{index}"
        begin = time.monotonic()
        what.cluster.kubectl(
            "apply", "-f", "-", stdin=yaml.safe_dump(named(hello, name, _NAMESPACE))
        )
        ready = _ready(what, name, _NAMESPACE)
        took.append(time.monotonic() - begin if ready else float("inf"))
        answer = ask(Target.of(what.cluster.info, f"{name}.{_NAMESPACE}"))
        answered.append(f"HTTP/1.1 {answer.code}")
    wanted = [run["wait_returned"] for run in recorded["runs"]]
    usual, own = statistics.median(wanted), statistics.median(took)
    yield Case("apply to READY, one at a time", tuple(late("median", usual, own)))
    first = {run["first_request"].rpartition(" ")[0] for run in recorded["runs"]}
    differences = () if set(answered) <= first else (f"{sorted(first)} -> {sorted(set(answered))}",)
    yield Case("the first request to each", differences)


def _deleted(what: Replay, _: Manifest, recorded: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
    """Deletion of the services that were made one at a time, but for the first."""
    took = []
    for index in range(1, _RUNS):
        begin = time.monotonic()
        what.cluster.kubectl("delete", "ksvc", f"one{index}", "-n", _NAMESPACE)
        took.append(time.monotonic() - begin)
    usual = statistics.median(run["s"] for run in recorded)
    yield Case("delete returns", tuple(late("median", usual, statistics.median(took))))


def _after_delete(what: Replay, _: Manifest, recorded: Sequence[Sequence[Any]]) -> Iterator[Case]:
    """The gateway's answers and the pod, after the deletion of the last service."""
    unknown = next((at for at, status, _ in recorded if " 404" in str(status)), None)
    gone = next((at for at, _, pods in recorded if pods == 0), None)
    target = Target.of(what.cluster.info, f"one0.{_NAMESPACE}")
    begin = time.monotonic()
    what.cluster.kubectl("delete", "ksvc", "one0", "-n", _NAMESPACE)
    if unknown is not None:
        seconds = _until(lambda: ask(target).code == 404, begin, _SLOWER * unknown + 10)
        yield Case("the gateway answers 404", tuple(late("after", unknown, seconds)))
    if gone is not None:
        label = ["-l", "serving.knative.dev/service=one0", "-o", "name"]
        seconds = _until(
            lambda: not what.cluster.kubectl("get", "pods", "-n", _NAMESPACE, *label).out,
            begin,
            _SLOWER * gone / what.scale + 10,
        )
        yield Case("the pod is gone", tuple(off("after", gone, seconds * what.scale)))


def _until(ask_again: Callable[[], bool], begin: float, most: float) -> float:
    """Real seconds until something is so; infinity when it is not within `most`."""
    left = most - (time.monotonic() - begin)
    try:
        until(ask_again, bool, what="it", timeout=left, clock=SystemClock(), interval=0.1)
    except WaitTimeout:
        return float("inf")
    return time.monotonic() - begin


def _together(what: Replay, hello: Manifest, recorded: Mapping[str, Any]) -> Iterator[Case]:
    """Many services in one apply, and their deletion."""
    names = sorted(recorded["ready"])
    many = yaml.safe_dump_all([named(hello, name, _NAMESPACE) for name in names])
    begin = time.monotonic()
    what.cluster.kubectl("apply", "-f", "-", stdin=many, timeout=120)
    returned = time.monotonic() - begin
    yield Case(
        f"apply of {len(names)} returns", tuple(late("after", recorded["apply_returned"], returned))
    )
    places = [f"ksvc/{name}" for name in names]
    options = ["--for=condition=Ready", "-n", _NAMESPACE, "--timeout=120s"]
    done = what.cluster.kubectl("wait", *options, *places, timeout=180)
    seconds = time.monotonic() - begin if done.code == 0 else float("inf")
    yield Case(
        f"{len(names)} services READY",
        tuple(late("last", max(recorded["ready"].values()), seconds)),
    )


def _deleted_together(what: Replay, _: Manifest, recorded: float) -> Iterator[Case]:
    begin = time.monotonic()
    what.cluster.kubectl("delete", "ksvc", "--all", "-n", _NAMESPACE, timeout=120)
    yield Case("delete of all", tuple(late("after", recorded, time.monotonic() - begin)))


_LATENCY = re.compile(r"^(\w+)\((\w+)\) gateway (keepalive|new connection) round 1$")


def _latencies(what: Replay, hello: Manifest, recorded: Mapping[str, Any]) -> Iterator[Case]:
    """Requests through the gateway, with the activator on the path and without."""
    for title, numbers in recorded.items():
        found = _LATENCY.match(title)
        if not found:
            yield Case(title, skipped="not a request to the gateway, or a repetition")
            continue
        name, mode, how = found.groups()
        capacity = {"target_burst_capacity": "0"} if mode == "Serve" else {}
        services.apply(what, named(hello, name, _NAMESPACE, min_scale="1", **capacity))
        took = _quickest(Target.of(what.cluster.info, f"{name}.{_NAMESPACE}"), how == "keepalive")
        limit = _SLOWER * numbers["p50"] + _SPARE
        slow = f"median {numbers['p50']:.2f} ms -> quickest {took:.2f} ms (at most {limit:.2f} ms)"
        yield Case(title, (slow,) if took > limit else ())


def _quickest(target: Target, keep: bool) -> float:
    """Milliseconds of the quickest request: the way's own, whatever else the machine does."""
    client = Client(target)
    try:
        client.ask()
        took = [(client.ask() if keep else ask(target)).took for _ in range(_REQUESTS)]
    finally:
        client.close()
    return min(took) * 1000


_MEASURED: tuple[tuple[str, Any], ...] = (
    (r"apply to READY, one at a time", _one_by_one),
    (r"delete ksvc", _deleted),
    (r"^after delete", _after_delete),
    (r"\d+ ksvcs in one apply", _together),
    (r"delete \d+$", _deleted_together),
    (r"latency ms", _latencies),
)


def _one(path: Path, count: int, recorded: float) -> Any:
    """READY of a folder's service in its first versions, of which the last one is measured."""

    def replay(what: Replay) -> Iterator[Case]:
        found = services.usual(path.parent)
        name = place(found[1])[1] if found else ""
        versions = services.versions(what.root, path.parent, name)[:count]
        if len(versions) < count:
            yield Case("READY", skipped="the manifest is not recorded")
            return
        seconds, namespace = 0.0, place(versions[0])[0]
        what.cluster.kubectl("create", "namespace", namespace)
        for manifest in versions:
            begin = time.monotonic()
            text = yaml.safe_dump(dict(manifest))
            what.cluster.kubectl("apply", "-f", "-", stdin=text)
            ready = _ready(what, name, namespace)
            seconds = time.monotonic() - begin if ready else float("inf")
        yield Case("READY", tuple(late("after", recorded, seconds)))

    return replay


def _update(path: Path, recorded: Mapping[str, Any]) -> Any:
    """A change of a service while requests come in."""

    def replay(what: Replay) -> Iterator[Case]:
        hello = _hello(what.root, path.parent)
        if hello is None or not what.cluster.embedded:
            yield Case("all", skipped="needs a recorded hello and the embedded cluster's gateway")
            return
        services.apply(what, hello)
        namespace, name = place(hello)
        end = threading.Event()
        answers: list[Any] = []
        target = Target.of(what.cluster.info, f"{name}.{namespace}")
        client = threading.Thread(target=lambda: answers.extend(during(target, 2, end)))
        client.start()
        changed = json.loads(json.dumps(hello))
        changed["spec"]["template"]["spec"]["containers"][0]["env"] = [
            {"name": "TARGET", "value": "Updated"}
        ]
        begin = time.monotonic()
        try:
            services.apply(what, changed)
            ready = time.monotonic() - begin
            time.sleep(0.5)
        finally:
            end.set()
            client.join()
        failed = {code: n for code, n in codes(answers).items() if code != "200"}
        differences = (f"none -> {failed}",) if failed and not recorded["non200"] else ()
        yield Case("requests that failed", differences)
        yield Case("READY", tuple(late("after", recorded["wait_ready_s"], ready)))
        new = [a.at + a.took - begin for a in answers if "Updated" in a.body]
        first = min(new, default=float("inf"))
        yield Case("first new answer", tuple(late("after", recorded["first_new_s"], first)))

    return replay
