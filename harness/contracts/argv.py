"""`cmd` strings of the historical contracts, read as argument lists and mapped to actions.

Nothing here is ever given to a shell. What is not in the tables is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from harness.contracts.kinds import Kind, kind_called
from harness.contracts.model import Action
from harness.contracts.refusal import Reason, refuse
from harness.contracts.strict_json import Json

MAX_COMMAND = 1000

_SHELL = re.compile(r"[;&|<>$`\\(){}\[\]*?!#~\n\r\t\x00]|^\s*[A-Za-z_]\w*=")
_PLAIN = re.compile(r"^[\x20-\x7e]*$")
_DURATION = re.compile(r"^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?$")

# Each flag of kubectl that a contract may use: the field it sets, and whether it takes a value.
_VALUE_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "-n": "namespace",
        "--namespace": "namespace",
        "-l": "selector",
        "--selector": "selector",
        "-o": "output",
        "--output": "output",
        "--for": "condition",
        "--timeout": "timeout",
        "--request-timeout": "timeout",
        "-c": "container",
        "--container": "container",
        "--tail": "tail",
        "-f": "manifest",
        "--filename": "manifest",
        "-k": "manifest",
        "--kustomize": "manifest",
    }
)
_FLAGS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "get": frozenset({"namespace", "selector", "output", "timeout"}),
        "describe": frozenset({"namespace", "selector", "timeout"}),
        "wait": frozenset({"namespace", "selector", "condition", "timeout"}),
        "logs": frozenset({"namespace", "selector", "container", "tail", "timeout"}),
        "diff": frozenset({"namespace", "manifest", "timeout"}),
    }
)
_ACTION: TypeAdapter[Action] = TypeAdapter(Action)


@dataclass(slots=True)
class _Words:
    """A command taken apart: positional words, and the fields that its flags set."""

    words: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


def action_of(command: str) -> Action:
    """The structured action that a command line means.

    Errors:
        ContractRefused: shell syntax, another program, a verb or flag that is not allowed, a
            kind that is not known, or values that do not make an action.
    """
    argv = _split(command)
    if argv[0] != "kubectl":
        raise refuse(Reason.COMMAND, f"{argv[0]!r} is not kubectl")
    found = _take_apart(argv[1:])
    if not found.words or found.words[0] not in _FLAGS_OF:
        verb = found.words[0] if found.words else "nothing"
        raise refuse(Reason.VERB, f"kubectl {verb} is not among {', '.join(_FLAGS_OF)}")
    verb, *words = found.words
    unknown = found.fields.keys() - _FLAGS_OF[verb]
    if unknown:
        raise refuse(Reason.FLAG, f"kubectl {verb} with {', '.join(sorted(unknown))}")
    try:
        return _ACTION.validate_python({"verb": verb, **_fields(verb, words, found.fields)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise refuse(Reason.INVALID, f"{first['loc'][-1]}: {first['msg']}") from error


def _split(command: str) -> list[str]:
    if len(command) > MAX_COMMAND:
        raise refuse(Reason.TOO_LARGE, f"a command of {len(command)} characters")
    if not _PLAIN.match(command) or _SHELL.search(command):
        raise refuse(Reason.SHELL_SYNTAX, repr(command[:120]))
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise refuse(Reason.SHELL_SYNTAX, f"{command[:120]!r}: {error}") from error
    if not argv:
        raise refuse(Reason.COMMAND, "the command is empty")
    return argv


def _take_apart(argv: list[str]) -> _Words:
    found = _Words()
    rest = iter(argv)
    for word in rest:
        if not word.startswith("-"):
            found.words.append(word)
            continue
        flag, equals, value = word.partition("=")
        name = _VALUE_FLAGS.get(flag)
        if name is None:
            raise refuse(Reason.FLAG, flag[:80])
        if name in found.fields:
            raise refuse(Reason.FLAG, f"{flag} is given twice")
        found.fields[name] = value if equals else next(rest, "")
        if not found.fields[name] or found.fields[name].startswith("-"):
            raise refuse(Reason.FLAG, f"{flag} without a value")
    return found


def _fields(verb: str, words: list[str], flags: Mapping[str, str]) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    fields.update({name: flags[name] for name in ("selector", "container") if name in flags})
    if "timeout" in flags:
        fields["timeout"] = _seconds(flags["timeout"])
    if "tail" in flags:
        fields["tail"] = int(flags["tail"]) if flags["tail"].isdecimal() else flags["tail"]
    if "output" in flags:
        fields["output"] = flags["output"]
    if "condition" in flags:
        fields["condition"] = _condition(flags["condition"])
    if verb == "diff":
        if words:
            raise refuse(Reason.INVALID, "kubectl diff takes -f PATH and nothing else")
        fields["manifest"] = flags.get("manifest")
    resource = _resource(verb, words)
    if "namespace" in flags:
        resource["namespace"] = flags["namespace"]
    return {**fields, "resource": resource}


def _condition(text: str) -> str:
    word, _, condition = text.partition("=")
    kind, equals, value = condition.partition("=")
    # kubectl compares types and values without case.
    if word != "condition" or (equals and value.lower() != "true"):
        raise refuse(Reason.FLAG, f"--for={text[:40]}: only condition=TYPE")
    return "Ready" if kind.lower() == "ready" else kind


def _resource(verb: str, words: list[str]) -> dict[str, Json]:
    if verb == "diff":
        words = ["ksvc"]
    if verb == "logs" and len(words) == 1 and "/" not in words[0]:
        words = ["pod", *words]
    if verb == "logs" and not words:
        words = ["pod"]
    if len(words) == 1 and "/" in words[0]:
        words = words[0].split("/")
    if not 1 <= len(words) <= 2:
        raise refuse(Reason.INVALID, f"kubectl {verb} wants KIND [NAME], found {words}")
    kind = _known(words[0])
    resource: dict[str, Json] = {"api": kind.api, "kind": kind.kind}
    if len(words) == 2:
        resource["name"] = words[1]
    return resource


def _known(word: str) -> Kind:
    kind = kind_called(word)
    if kind is None:
        raise refuse(
            Reason.RESOURCE, f"the kind {word[:80]!r} is not among those contracts may name"
        )
    return kind


def _seconds(text: str) -> float:
    match = _DURATION.match(text)
    if not match or not text:
        raise refuse(Reason.TIMEOUT, f"{text[:40]!r} is not a duration such as 40s or 2m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
