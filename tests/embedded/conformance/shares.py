"""Recorded shares of traffic: as many answers from each revision, and switches without a gap.

A share may differ from what was asked for by four standard deviations of that many requests.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.embedded.conformance import services
from tests.embedded.conformance.load import Answer, Target, ask, during
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document
from tests.embedded.conformance.services import Manifest, place, traffic

_DEVIATIONS = 4.0
_SWITCH = {"first_new_s", "last_old_s", "patch_returned_s"}
_SLOWER, _SPARE = 2.0, 1.0  # of the recorded seconds that a switch took, and besides
_NOT_RECORDED = "the service that answered is not recorded"


def areas(root: Path) -> Iterator[Area]:
    """Files with counts of answers, and with times of switches between revisions."""
    for path in sorted(root.rglob("*.json")):
        content = document(path)
        name = str(path.relative_to(root).with_suffix(""))
        if isinstance(content, dict) and "weights" in content:
            yield Area(f"{name} (shares)", _replayer(path, _split), (path,))
        elif isinstance(content, list) and content and all(map(_is_count, content)):
            yield Area(name, _replayer(path, _counts), (path,))
        elif isinstance(content, list) and content and all(map(_is_switch, content)):
            yield Area(name, _replayer(path, _switches), (path,))


def _is_count(entry: Any) -> bool:
    return (
        isinstance(entry, dict) and bool(entry) and all(isinstance(n, int) for n in entry.values())
    )


def _is_switch(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.keys() >= _SWITCH


def _replayer(path: Path, replay: Callable[[Replay, Path], Iterator[Case]]) -> Any:
    def on_a_gateway(what: Replay) -> Iterator[Case]:
        if what.cluster.embedded:
            yield from replay(what, path)
        else:
            yield Case("all", skipped="the gateway's address is known for the embedded one only")

    return on_a_gateway


def _split(what: Replay, path: Path) -> Iterator[Case]:
    """Weights, the answers to requests without and with a tag."""
    content = json.loads(path.read_text())
    weights = [int(weight) for weight in str(content["weights"]).split("/")]
    counts: Mapping[str, Mapping[str, int]] = {k: v for k, v in content.items() if "count" in k}
    greeted = {body for count in counts.values() for body in count}

    def last(manifest: Manifest) -> bool:
        return _percents(manifest) == sorted(weights) and _greets(manifest, greeted)

    service = services.provide(what, services.manifests(what.root, path.parent), last)
    if service is None:
        yield Case("all", skipped=_NOT_RECORDED)
        return
    for name, count in counts.items():
        yield Case(name, tuple(_compare(what, service, count)))
    host = ".".join(reversed(place(service)))
    for tag, wanted in (content.get("tag_hosts") or {}).items():
        got = ask(Target.of(what.cluster.info, f"{tag}-{host}"))
        yield Case(f"tag host {tag}", tuple(_unlike(wanted, got)))
    for tag in content.get("tag_header_routing_default_config") or ():
        # Which revision answers is left to the weights: the header is not looked at.
        got = ask(Target.of(what.cluster.info, host), {"Knative-Serving-Tag": tag})
        differences = () if got.body in greeted else (f"one of {sorted(greeted)} -> {got.body!r}",)
        yield Case(f"tag header {tag}", differences)


def _unlike(wanted: str, got: Answer) -> Iterator[str]:
    shown = got.body if got.code == 200 else f"HTTP/1.1 {got.code}"
    if not wanted.startswith(shown) or not shown:
        yield f"{wanted!r} -> {shown!r}"


def _counts(what: Replay, path: Path) -> Iterator[Case]:
    """Answers of as many requests, several times."""
    rounds = json.loads(path.read_text())
    greeted = {body for count in rounds for body in count}

    def last(manifest: Manifest) -> bool:
        return len(_percents(manifest)) == len(greeted) and _greets(manifest, greeted)

    service = services.provide(what, services.manifests(what.root, path.parent), last)
    if service is None:
        yield Case("all", skipped=_NOT_RECORDED)
        return
    for number, count in enumerate(rounds, 1):
        yield Case(f"round {number}", tuple(_compare(what, service, count)))


def _percents(manifest: Manifest) -> list[int]:
    found = (int(target.get("percent") or 0) for target in traffic(manifest))
    return sorted(percent for percent in found if percent)


def _greets(manifest: Manifest, greeted: set[str]) -> bool:
    return f"Hello {services.target(manifest)}!" in {body.strip() for body in greeted}


def _compare(what: Replay, service: Manifest, count: Mapping[str, int]) -> Iterator[str]:
    """Whether as many requests have answers in about these shares."""
    total = sum(count.values())
    target = Target.of(what.cluster.info, ".".join(reversed(place(service))))
    got = Counter(ask(target).body.strip() for _ in range(total))
    wanted = {body.strip(): number for body, number in count.items()}
    share = {body: _nearest(number / total, service) for body, number in wanted.items()}
    for body in sorted(wanted.keys() | got.keys()):
        expected = share.get(body, 0.0)
        allowed = _DEVIATIONS * math.sqrt(total * expected * (1 - expected))
        if abs(got[body] - expected * total) > allowed:
            yield f"{body!r}: {wanted.get(body, 0)} of {total} -> {got[body]} (+-{allowed:.0f})"


def _nearest(share: float, service: Manifest) -> float:
    """The share that was asked for and that a recorded one comes from."""
    return min((p / 100 for p in _percents(service)), key=lambda asked: abs(asked - share))


def _switches(what: Replay, path: Path) -> Iterator[Case]:
    """All traffic from one revision to another, and back, under requests."""
    service = services.provide(
        what, services.manifests(what.root, path.parent), lambda m: len(_percents(m)) > 1
    )
    if service is None:
        yield Case("all", skipped=_NOT_RECORDED)
        return
    revisions = [str(target.get("revisionName")) for target in traffic(service)][:2]
    _patch(what, service, revisions[0])
    for number, wanted in enumerate(json.loads(path.read_text())):
        got = _switch(what, service, revisions[(number + 1) % 2])
        yield Case(f"switch {number + 1}", tuple(_slower(wanted, got)))


def _patch(what: Replay, service: Manifest, revision: str) -> None:
    namespace, name = place(service)
    spec = {"spec": {"traffic": [{"revisionName": revision, "percent": 100}]}}
    change = ["--type=merge", "-p", json.dumps(spec)]
    what.cluster.kubectl("patch", "ksvc", name, "-n", namespace, *change)
    ready = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=30s"]
    what.cluster.kubectl("wait", *ready)


def _switch(what: Replay, service: Manifest, revision: str) -> tuple[float, list[Answer]]:
    """When the patch was begun, and the answers until some time after it."""
    target = Target.of(what.cluster.info, ".".join(reversed(place(service))))
    end, answers = threading.Event(), list[Answer]()
    client = threading.Thread(target=lambda: answers.extend(during(target, 1, end)))
    client.start()
    begin = time.monotonic()
    try:
        _patch(what, service, revision)
        time.sleep(0.2)
    finally:
        end.set()
        client.join()
    return begin, answers


def _slower(wanted: Mapping[str, Any], got: tuple[float, list[Answer]]) -> Iterator[str]:
    begin, answers = got
    failed = sorted({answer.code for answer in answers if answer.code != 200})
    if failed and not wanted.get("errors"):
        yield f"statuses besides 200: {failed}"
    old, new = answers[0].body, answers[-1].body
    if old == new:
        yield "the answers did not change"
        return
    seconds = next(a.at + a.took for a in answers if a.body == new) - begin
    limit = _SLOWER * float(wanted["first_new_s"]) + _SPARE
    if seconds > limit:
        recorded = wanted["first_new_s"]
        yield f"first new answer after {recorded} s -> {seconds:.3f} s (at most {limit:.2f} s)"
    turned = [a.body for a in answers if a.code == 200]
    if turned != sorted(turned, key=lambda body: body == new):
        yield "old answers came after new ones"
