"""Markdown from a document, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from harness.evidence import background, sections
from harness.evidence.canonical import sha256
from harness.evidence.model import Evidence, Kind, encode
from harness.evidence.pictures import pictures
from harness.evidence.reasons import tell
from harness.evidence.sections import Section
from harness.evidence.table import code, front_matter, prose, section, table
from harness.evidence.words import Say, say

_STATEMENTS: Mapping[Kind, str] = MappingProxyType(
    {
        "ready": "{subject} is ready",
        "sli": "the service level of {subject} holds",
        "run": "the run contract {subject} did what it says",
        "load": "{subject} bears the load",
        "autoscale": "{subject} scales with its load",
        "coldstart": "{subject} starts from zero",
        "contradiction": "the observations of {subject} agree",
        "scenario": "the scenario {subject} holds",
    }
)

TITLES: Mapping[Kind, str] = MappingProxyType(
    {
        "ready": "READY",
        "sli": "SLI",
        "run": "Run",
        "load": "Load",
        "autoscale": "Autoscale",
        "coldstart": "Cold start",
        "contradiction": "Contradiction",
        "scenario": "Scenario",
    }
)

_MEASURED: tuple[Section, ...] = (
    sections.hops,
    sections.claims,
    sections.counted,
    sections.latency,
    sections.objectives,
)

_BACKGROUND: tuple[Section, ...] = (
    background.not_checked,
    background.notes,
    sections.raw_errors,
    sections.answers,
    background.subject,
    background.cluster,
    background.vantages,
    background.tool,
)

_OWN: Mapping[Kind, tuple[Section, ...]] = MappingProxyType(
    {
        "ready": (background.known_parts, background.conditions, background.contract),
        "sli": (),
        "run": (background.contract,),
        "load": (background.load,),
        "autoscale": (background.load,),
        "coldstart": (background.coldstart,),
        "contradiction": (background.conditions,),
        "scenario": (background.steps,),
    }
)
"""What each kind shows of its own, after what was measured and before the background."""


def render(document: Evidence, *, run_folder: str, digest: str | None = None) -> str:
    """The document for a person.

    `run_folder` leads from the Markdown file to the run's folder. `digest` is the hash of the
    document's file, where the caller knows it already.
    """
    words = say(document.language)
    known = (sections.sli(document, words),) if document.kind == "sli" else ()
    parts = [
        _front_matter(document, digest or sha256(encode(document))),
        f"# {words(TITLES[document.kind])}: {prose(document.subject.key)}",
        _verdict(document, words),
        _context(document),
        *known,
        *(part(document, words) for part in _MEASURED),
        _pictures(document, words, run_folder),
        *(part(document, words) for part in _OWN[document.kind]),
        *(part(document, words) for part in _BACKGROUND),
        _artefacts(document, words, run_folder),
        _previous(document, words),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict_sentence(document: Evidence) -> str:
    """What was claimed and how it was judged, in one plain sentence of the document's language."""
    words = say(document.language)
    statement = words(_STATEMENTS[document.kind]).format(subject=document.subject.key)
    verdict = document.claim.verdict.value
    shown = verdict if document.language == "en" else f"{verdict} ({words(verdict)})"
    return words("{verdict} for the claim “{claim}”.").format(verdict=shown, claim=statement)


def _verdict(document: Evidence, words: Say) -> str:
    where = document.cluster
    if where is None:
        seen = words("No cluster was opened.")
    else:
        seen = words("Seen from {start} to {end} on the {provider} cluster {name}.").format(
            start=document.window.start,
            end=document.window.end,
            provider=where.provider,
            name=code(where.name),
        )
    reason = tell(document.language)(document.claim.reason)
    emulator = words("This cluster is an emulator, not a real one.")
    lines = [
        f"**{prose(verdict_sentence(document))}** {prose(reason)}",
        seen,
        f"**{emulator}**" if where is not None and where.emulator else "",
    ]
    return "\n\n".join(line for line in lines if line)


def _front_matter(document: Evidence, digest: str) -> str:
    where = document.cluster
    return front_matter(
        {
            "schema": document.schema,
            "renderer": document.renderer,
            "kind": document.kind,
            "subject": document.subject.key,
            "verdict": document.claim.verdict.value,
            "run_id": document.run_id,
            "captured_at": document.captured_at,
            "language": document.language,
            "provider": where.provider if where else "",
            "emulator": "yes" if where and where.emulator else "no",
            "sha256": digest,
        }
    )


def _context(document: Evidence) -> str:
    """The header line that readers of the READY file know."""
    if document.kind != "ready":
        return ""
    repository, branch = document.tool.repository or "-", document.tool.git_branch or "-"
    return (
        f"context_header: repo={prose(repository)} / branch={prose(branch)} / "
        f"phase={prose(document.origin.scenario)} / track={prose(document.subject.name)}"
    )


def _pictures(document: Evidence, words: Say, run_folder: str) -> str:
    stem = f"{run_folder}/evidence/{quote(document.file_stem)}"
    links = [f"![{words(_ALT[name])}]({stem}.{name}.svg)" for name in pictures(document)]
    return section(words("Pictures"), *links)


_ALT = {"latency": "latency by vantage", "timeline": "timeline"}


def _artefacts(document: Evidence, words: Say, run_folder: str) -> str:
    rows = (
        (
            f"[{prose(file.path)}]({run_folder}/{quote(file.path)})",
            f"{file.bytes}",
            code(file.sha256),
        )
        for file in document.artefacts
    )
    return section(words("Artefacts"), table([words("path"), words("bytes"), "SHA-256"], rows))


def _previous(document: Evidence, words: Say) -> str:
    lines = "\n".join(f"- {code(digest)}" for digest in document.previous)
    return section(words("Previous evidence of this claim"), lines)
