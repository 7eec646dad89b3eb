"""The sections of a document's Markdown about the object, the run and where it all came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.identity import GATEWAY_NAMESPACE
from harness.core.observation import CommandRecord, ContractObserved
from harness.evidence import matrix
from harness.evidence.model import Evidence, StepEvidence, VantageEvidence
from harness.evidence.reasons import Tell, tell
from harness.evidence.table import (
    code,
    counts,
    facts,
    fence,
    milliseconds,
    prose,
    seconds_text,
    section,
    table,
)
from harness.evidence.words import Say

_KNOWN = (("apply", "apply"), ("wait", "wait (Ready)"), ("get", "get ksvc (wide)"))
"""The three parts of the READY file that its readers know: kubectl's verb, the heading."""


def known_parts(document: Evidence, say: Say) -> str:
    """apply, wait and get with kubectl's output, under the headings that readers know."""
    commands = document.contract.commands if document.contract else ()
    parts = []
    for verb, heading in _KNOWN:
        ran = [command for command in commands if verb in command.argv[:3]]
        bodies = [_command(command, say) for command in ran]
        parts.append(section(heading, *(bodies or [f"({say('not run in this scenario')})"])))
    return "\n\n".join(parts)


def _command(command: CommandRecord, say: Say) -> str:
    head = facts(
        [
            (say("command"), code(" ".join(command.argv))),
            (say("exit code"), _ending(command, say)),
            (say("seconds"), seconds_text(command.seconds)),
        ]
    )
    outputs = [fence(text) for text in (command.stdout, command.stderr) if text.strip()]
    return "\n\n".join([head, *outputs])


def conditions(document: Evidence, say: Say) -> str:
    """The object as the API server showed it."""
    state = document.service
    if state is None:
        return ""
    header = [say(name) for name in ("type", "status", "reason", "message", "last transition")]
    rows = (
        (c.type, f"**{prose(c.status)}**", prose(c.reason), prose(c.message), c.last_transition)
        for c in state.conditions
    )
    usual = state.gateway_namespace == GATEWAY_NAMESPACE
    lines = facts(
        [
            (say("object seen at"), state.at),
            (say("waited for READY"), seconds_text(state.waited)),
            (say("age of the last transition"), seconds_text(state.age)),
            (say("latest created"), code(state.latest_created)),
            (say("latest ready"), code(state.latest_ready)),
            ("URL", code(state.url)),
            (say("address"), code(state.address)),
            (say("gateway's namespace"), "" if usual else code(state.gateway_namespace)),
            *((say("mismatches"), prose(text)) for text in state.mismatches),
            *((say("related"), prose(text)) for text in state.related),
        ]
    )
    return section(say("Conditions"), table(header, rows), lines)


def contract(document: Evidence, say: Say) -> str:
    """What the runner made of the contract."""
    seen = document.contract
    if seen is None:
        return ""
    lines = [
        (say("contract id"), code(seen.contract_id)),
        (say("path"), code(seen.contract)),
        (say("mode"), seen.mode),
        (say("state"), code(seen.state)),
        (say("reason"), prose(tell(document.language)(seen.reason))),
        (say("resource"), code(seen.resource)),
        (say("run"), code(seen.run_id)),
        (say("folder"), code(seen.folder)),
        (say("content hash"), code(seen.content_hash)),
        (say("generation before"), _number(seen.generation_before)),
        (say("generation after"), _number(seen.generation_after)),
        *((say("unchanged"), code(what)) for what in seen.unchanged),
    ]
    body = [facts(lines), fence(seen.diff, "diff") if seen.diff.strip() else ""]
    known = {verb for verb, _ in _KNOWN} if document.kind == "ready" else set()
    shown = [command for command in seen.commands if known.isdisjoint(command.argv[:3])]
    body.append(section(say("Commands"), *_commands(shown, say), level=3))
    return section(say("Contract"), *body, _contract_files(seen, say))


def _commands(commands: Sequence[CommandRecord], say: Say) -> Iterator[str]:
    """A table of all, and the output of those that kept some."""
    rows = ((code(" ".join(one.argv)), _ending(one, say), f"{one.seconds:.3g}") for one in commands)
    yield table([say("command"), say("exit code"), say("seconds")], rows)
    for one in commands:
        if one.stdout.strip() or one.stderr.strip():
            yield _command(one, say)


def _ending(command: CommandRecord, say: Say) -> str:
    return say("timed out") if command.exit_code is None else f"{command.exit_code}"


def _contract_files(seen: ContractObserved, say: Say) -> str:
    rows = ((code(file.path), f"{file.bytes}", code(file.sha256)) for file in seen.artefacts)
    return table([say("path"), say("bytes"), "SHA-256"], rows)


def load(document: Evidence, say: Say) -> str:
    """The load check by our own counts."""
    seen = document.load
    if seen is None:
        return ""
    lines = [
        ("URL", code(seen.url)),
        (say("period"), f"{seen.at} – {seen.until}"),
        (say("users"), f"{seen.users}"),
        (say("seconds"), seconds_text(seen.seconds)),
        (say("requests"), f"{seen.requests}"),
        (say("failures"), f"{seen.failures}"),
        (say("errors"), counts(seen.errors)),
        (say("exit code"), say("timed out") if seen.exit_code is None else f"{seen.exit_code}"),
    ]
    measured = []
    if seen.latency is not None:
        q = seen.latency
        figures = (q.mean, q.min, q.p50, q.p90, q.p95, q.p99, q.max)
        measured.append((f"{q.count}", *(milliseconds(figure) for figure in figures)))
    header = [say("count"), say("mean"), "min", "p50", "p90", "p95", "p99", "max"]
    pods = ((seconds_text(at), f"{ready}") for at, ready in seen.replicas)
    return section(
        say("Load"),
        facts(lines),
        table([*header[:-1], "max (ms)"], measured),
        table([say("seconds since the start"), say("pods ready from then on")], pods),
    )


def coldstart(document: Evidence, say: Say) -> str:
    """What the time of a request from zero went to."""
    seen = document.coldstart
    if seen is None:
        return ""
    lines = [
        (say("period"), f"{seen.at} – {seen.until}"),
        (say("waited for zero pods"), seconds_text(seen.waited)),
        (say("answered after"), seconds_text(seen.seconds)),
    ]
    phases = ((name, seconds_text(seconds)) for name, seconds in seen.phases)
    return section(say("Cold start"), facts(lines), table([say("phase"), say("seconds")], phases))


def steps(document: Evidence, say: Say) -> str:
    """Every step of a scenario and how it ended."""
    header = ("step", "verdict", "reason", "started", "ended", "seconds", "expectation")
    retell = tell(document.language)
    rows = (_step(step, say, retell) for step in document.steps)
    return section(say("Steps"), table([say(name) for name in header], rows))


def _step(step: StepEvidence, say: Say, retell: Tell) -> tuple[str, ...]:
    skipped = f" ({say('skipped')}: {prose(step.skipped)})" if step.skipped is not None else ""
    if step.skipped == step.reason:
        skipped = f" ({say('skipped')})"
    expected = {None: "", True: say("met as expected"), False: say("not as expected")}
    return (
        code(step.step),
        f"**{step.verdict.value}**",
        f"{prose(retell(step.reason))}{skipped}",
        step.started,
        step.ended,
        seconds_text(step.seconds),
        expected[step.expected],
    )


def not_checked(document: Evidence, say: Say) -> str:
    """What a reader might take for checked and was not."""
    retell = tell(document.language)
    gaps = (f"- {prose(retell(gap))}" for gap in document.not_checked)
    return section(say("Not checked"), "\n".join(gaps))


def notes(document: Evidence, say: Say) -> str:
    """What else a reader must know."""
    return section(say("Notes"), "\n".join(f"- {prose(note)}" for note in document.notes))


def subject(document: Evidence, say: Say) -> str:
    """Exactly what was looked at."""
    about = document.subject
    lines = [
        (say("kind"), about.kind),
        (say("namespace"), code(about.namespace)),
        (say("name"), code(about.name)),
        (say("UID"), code(about.uid)),
        (say("generation"), _number(about.generation)),
        (say("observedGeneration"), _number(about.observed_generation)),
        (say("resourceVersion"), code(about.resource_version)),
        (say("revision"), code(about.revision)),
        (say("image"), code(about.image)),
        (say("image digest"), code(about.image_digest)),
        (say("run"), code(document.run_id)),
        (say("scenario"), code(document.origin.scenario)),
        (say("source"), f"{code(document.origin.source)} {code(document.origin.plan_sha256)}"),
    ]
    return section(say("Subject"), facts(lines))


def cluster(document: Evidence, say: Say) -> str:
    """Exactly which cluster it was."""
    where = document.cluster
    if where is None:
        return section(say("Cluster"), say("No cluster was opened."))
    lines = [
        (say("name"), code(where.name)),
        (say("provider"), where.provider),
        (say("emulator"), say("yes") if where.emulator else say("no")),
        (say("context"), code(where.context)),
        (say("cluster UID"), code(where.uid)),
        (say("Kubernetes"), code(where.server_version)),
        (say("Knative"), code(where.knative_version)),
        (say("ingress"), code(f"{where.ingress} {where.ingress_version}".strip())),
        (say("chosen because"), prose(where.chosen_because)),
        (say("capabilities"), ", ".join(code(name) for name in document.capabilities)),
        *((prose(name), code(value)) for name, value in where.details.items()),
    ]
    return section(say("Cluster"), facts(lines))


def vantages(document: Evidence, say: Say) -> str:
    """Exactly where the samples were sent from, and how."""
    labelled = zip(matrix.labels(document.vantages), document.vantages, strict=True)
    blocks = [section(label, facts(_vantage(seen, say)), level=3) for label, seen in labelled]
    return section(say("Vantages"), *blocks)


def _vantage(seen: VantageEvidence, say: Say) -> list[tuple[str, str]]:
    probe, who = seen.probe, seen.probe.identity
    lines = [
        (say("step"), code(seen.step)),
        (say("error"), prose(probe.error or "")),
        (say("first broken hop"), seen.first_broken.value if seen.first_broken else ""),
        (say("rate"), f"{probe.rate:g}" if probe.rate else ""),
        (say("timeout"), seconds_text(probe.timeout) if probe.timeout else ""),
        (say("start lateness p99"), seconds_text(probe.lateness_p99 or None)),
        (say("by address"), say("yes") if probe.by_address else ""),
    ]
    if who is None:
        return lines
    image = f"{code(who.image)} {code(who.image_digest)}" if who.image or who.image_digest else ""
    return [
        *lines,
        (say("engine"), f"{code(who.engine)} ({code(who.name)})"),
        (say("agent"), code(who.agent_sha256)),
        (say("host"), code(who.host)),
        (say("pod"), code(who.pod)),
        (say("node"), code(who.node)),
        (say("image"), image),
        (say("resolver"), code(who.resolver)),
        (say("source address"), code(who.source_address)),
        (say("clock offset"), seconds_text(who.clock_offset)),
    ]


def tool(document: Evidence, say: Say) -> str:
    """What made this document."""
    made = document.tool
    dirty = {None: "", True: say("yes"), False: say("no")}
    lines = [
        (say("version"), code(made.version)),
        (say("command"), code(" ".join(made.command))),
        (say("repository"), code(made.repository)),
        (say("branch"), code(made.git_branch)),
        (say("commit"), code(made.git_commit)),
        (say("uncommitted changes"), dirty[made.git_dirty]),
        ("Python", code(made.python)),
        (say("platform"), code(made.platform)),
        *((prose(name), code(version)) for name, version in made.versions),
    ]
    return section(say("Tool"), facts(lines))


def _number(value: int | None) -> str:
    return "" if value is None else f"{value}"
