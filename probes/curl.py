"""Probes with curl, where the engine cannot run: a shell script, and its output as samples.

What curl reports becomes records as the engine writes them (docs/probe-agent.md), so that one
reader serves both. curl cannot say everything the engine can: a request may start late by the
time that a shell needs, and times are those of curl's own clock.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from harness.core.dig import JsonObject, mappings_at, number_at, seconds_at, text_at, value_at
from harness.core.errors import ProbeError

_MARK = "@@vpm"
_BODY_BYTES = 4096
_FIELDS = "%{json}\\n%{header_json}"
_SHOWN_HEADERS = ("server", "x-envoy-upstream-service-time", "content-type", "location")


def curl_script(plan: JsonObject) -> str:
    """A POSIX shell script that sends all targets' requests on their schedules.

    `plan` is one for the engine; of it what curl can do is used.
    """
    parts = ["set -u", "d=$(mktemp -d)", "trap 'rm -rf \"$d\"' EXIT"]
    targets = mappings_at(plan, "targets")
    parts += [_sender(index, target) for index, target in enumerate(targets)]
    parts.append("wait")
    parts += [_printer(index, target) for index, target in enumerate(targets)]
    return "\n".join(parts) + "\n"


def curl_records(output: str, plan: JsonObject, *, host: str, now: datetime) -> Iterator[bytes]:
    """The script's output as the lines that the engine would have written.

    Errors:
        ProbeError: the output is not the script's.
    """
    utc_ns = int(now.timestamp() * 1e9)
    start = {"record": "start", "clock": {"utc_ns": utc_ns}, "identity": {"host": host}}
    yield _line(start)
    targets = mappings_at(plan, "targets")
    for chunk in output.split(f"{_MARK} ")[1:]:
        head, _, rest = chunk.partition("\n")
        numbers = head.split()
        if len(numbers) < 3 or not 0 <= int(numbers[0]) < len(targets):
            raise ProbeError(f"curl's script printed something else: {head[:80]!r}")
        target = targets[int(numbers[0])]
        yield _line(_record(target, int(numbers[1]), float(numbers[2]), rest))
    yield _line({"record": "summary", "ended": "completed"})


def _sender(index: int, target: JsonObject) -> str:
    """Starts a target's requests in the background, one every interval."""
    total = number_at(target, "requests") + number_at(target, "warmup")
    interval = 1 / max(seconds_at(target, "rate"), 0.001)
    name = f'"$d/{index}.$i'
    return (
        f"(i=0; while [ $i -lt {total} ]; do\n"
        f'  (date +%s.%N >{name}.at"; {_command(target)} -o {name}.body"'
        f' -w {shlex.quote(_FIELDS)} >{name}.out" 2>/dev/null) &\n'
        f"  i=$((i+1)); sleep {interval:g}\n"
        "done; wait) &"
    )


def _command(target: JsonObject) -> str:
    words = ["curl", "-s", "-X", text_at(target, "method") or "GET"]
    words += ["--max-time", f"{seconds_at(target, 'timeout'):g}", "-A", "vpm-probe-curl"]
    for name, value in _pairs(value_at(target, "headers")):
        words += ["-H", f"{name}: {value}"]
    for rule in _texts(value_at(target, "connect_to")):
        words += ["--connect-to", rule]
    words.append(text_at(target, "url"))
    return shlex.join(words)


def _printer(index: int, target: JsonObject) -> str:
    total = number_at(target, "requests") + number_at(target, "warmup")
    name = f'"$d/{index}.$i'
    return (
        f"i=0; while [ $i -lt {total} ]; do\n"
        f'  echo "{_MARK} {index} $i $(cat {name}.at")"; cat {name}.out"; echo; echo {_MARK}-body\n'
        f'  head -c {_BODY_BYTES} {name}.body" 2>/dev/null | base64 | tr -d "\\n"; echo\n'
        "  i=$((i+1))\n"
        "done"
    )


def _record(target: JsonObject, number: int, at: float, text: str) -> JsonObject:
    """One attempt as the engine would have recorded it."""
    report, _, encoded = text.partition(f"{_MARK}-body\n")
    decoder = json.JSONDecoder()
    try:
        seen, end = decoder.raw_decode(report.lstrip())
        headers = json.loads(report.lstrip()[end:] or "{}")
        body = base64.b64decode(encoded.strip()).decode(errors="replace")
    except ValueError as error:
        raise ProbeError(f"curl printed something else: {report[:80]!r}") from error
    outcome, detail = outcome_of(seen, body, target)
    return {
        "record": "sample",
        "target": text_at(target, "name"),
        "seq": number,
        "warmup": number < number_at(target, "warmup"),
        "start_utc": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
        "duration_s": seconds_at(seen, "time_total"),
        "outcome": outcome,
        "detail": detail,
        "phases": _phases(seen),
        "peer": _address(seen, "remote"),
        "local": _address(seen, "local"),
        "status": number_at(seen, "http_code"),
        "headers": {name: headers[name][0] for name in _SHOWN_HEADERS if headers.get(name)},
        "body_head": body[:200],
    }


def outcome_of(seen: JsonObject, body: str, target: JsonObject) -> tuple[str, str]:
    """The outcome of one attempt, of the closed list, and curl's own words.

    Errors of curl itself (an option that it does not know) are prober errors.
    """
    code, said = number_at(seen, "exitcode"), text_at(seen, "errormsg")
    if code == 28:
        return _timeout(seen), said
    if code in _CERTIFICATE:
        words = ((word, outcome) for word, outcome in _CERTIFICATE_WORDS if word in said)
        return next((outcome for _, outcome in words), "tls_untrusted"), said
    if code == 7 and "route" in said:
        return "connect_unreachable", said
    if code == 56 and seconds_at(seen, "time_starttransfer") > 0:
        return "truncated", said
    if code:
        return _BY_CODE.get(code, "prober_error"), said
    return _answer(seen, body, target)


_CERTIFICATE = (51, 60)
_CERTIFICATE_WORDS = (
    ("expired", "tls_expired"),
    ("not yet valid", "tls_not_yet_valid"),
    ("subject name", "tls_name_mismatch"),
)
_BY_CODE: Mapping[int, str] = {
    1: "malformed_response",
    6: "dns_not_found",
    7: "connect_refused",
    8: "malformed_response",
    18: "truncated",
    35: "tls_error",
    52: "closed_without_response",
    55: "send_reset",
    56: "reset",
    61: "malformed_response",
    63: "too_large",
}


def _timeout(seen: JsonObject) -> str:
    """Which phase the time ran out in: the first that has no end."""
    secure = text_at(seen, "url").startswith("https://")
    steps = [
        ("time_namelookup", "dns_timeout"),
        ("time_connect", "connect_timeout"),
        *([("time_appconnect", "tls_timeout")] if secure else []),
        ("time_starttransfer", "wait_timeout"),
    ]
    return next((name for key, name in steps if not seconds_at(seen, key)), "transfer_timeout")


def _answer(seen: JsonObject, body: str, target: JsonObject) -> tuple[str, str]:
    """Whether an answer is the one that was wanted."""
    status, wanted = number_at(seen, "http_code"), _texts(value_at(target, "expect", "status"))
    if wanted and str(status) not in wanted:
        return "status_mismatch", f"status {status}, expected {' or '.join(wanted)}"
    exact, contains = (value_at(target, "expect", "body", key) for key in ("exact", "contains"))
    pattern = value_at(target, "expect", "body", "regex")
    if isinstance(exact, str) and body != exact[:_BODY_BYTES]:
        return "body_mismatch", f"body is not {exact!r}"
    if isinstance(contains, str) and contains not in body:
        return "body_mismatch", f"body does not contain {contains!r}"
    if isinstance(pattern, str) and not re.search(pattern, body):
        return "body_mismatch", f"body does not match {pattern!r}"
    return "ok", ""


def _phases(seen: JsonObject) -> dict[str, float]:
    """curl's times are all counted from the start; a phase is the step from one to the next."""
    marks = ("time_namelookup", "time_connect", "time_appconnect", "time_starttransfer")
    names = ("resolve", "connect", "tls", "wait")
    phases, before = {}, 0.0
    for name, mark in zip(names, marks, strict=True):
        at = seconds_at(seen, mark)
        if at > 0:
            phases[name], before = max(0.0, at - before), at
    if "wait" in phases:
        phases["transfer"] = max(0.0, seconds_at(seen, "time_total") - before)
    return phases


def _address(seen: JsonObject, end: str) -> str:
    host = text_at(seen, f"{end}_ip")
    return f"{host}:{number_at(seen, f'{end}_port')}" if host else ""


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(str(pair[0]), str(pair[1])) for pair in value] if isinstance(value, list) else []


def _texts(value: object) -> Sequence[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _line(record: JsonObject) -> bytes:
    return json.dumps(record).encode() + b"\n"
