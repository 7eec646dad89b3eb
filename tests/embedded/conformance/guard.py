"""What recordings may run here: kubectl, as words and never in a shell, and nothing of their own.

Whoever replays a folder trusts it to hold text, not programs.  Pods of the embedded cluster are
processes of this machine, so manifests count too: their containers run what their image is, or
one of a few harmless programs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.embedded.kubelet.images import DEFAULT_PATH, PYTHON_BIN, Catalogue, ImageError
from tests.support.cluster import Cluster, Ran

_VERBS = frozenset(
    ["annotate", "api-resources", "api-versions", "apply", "auth", "cluster-info", "create",
     "delete", "describe", "diff", "events", "exec", "explain", "expose", "get", "label", "logs",
     "patch", "replace", "rollout", "run", "scale", "top", "version", "wait"]
)  # fmt: skip
_SHELL = re.compile(r"[();<>|&]+")
# They run programs, write files, read other files, or send a token elsewhere.
_REFUSED = re.compile(
    r"--(kuberc|cache-dir|profile|profile-output|output-directory|client-key|client-certificate"
    r"|kustomize|edit|from-file|from-env-file|cert|key|overrides|user|cluster|tls-server-name"
    r"|proxy-url|patch-file)(=|$)|-[AiqRtw]*k|-[AiqRtw]+f"
)
_VALUED = ("-n", "--namespace", "-s", "--server", "--context", "--kubeconfig", "--token", "--as",
           "--request-timeout", "-v")  # fmt: skip
_SWITCHES = ("--insecure-skip-tls-verify", "--warnings-as-errors", "--match-server-version")
_FILE = re.compile(r"(?:-f|--filename)(?:=(.+))?|-f([^=].*)")
_PATCH = re.compile(r"(?:-p|--patch)(?:=(.+))?|-p([^=].*)")
_OWN_SERVER = re.compile(r"https?://(127(\.\d{1,3}){3}|localhost)(:\d+)?/?")
_PROGRAMS = frozenset(
    ["cat", "curl", "echo", "false", "getent", "id", "ls", "nslookup", "printenv", "sleep", "true"]
)
_CURL = re.compile(
    r"-[sSiIvkgf]+|-[HXAmwdo]|[^-@].*"
    r"|--(silent|show-error|include|head|verbose|insecure|fail|header|request|user-agent|max-time"
    r"|write-out|data|connect-timeout|http1\.[01]|http2|http2-prior-knowledge|resolve)(=[^@]*)?"
)
_RUNS = re.compile(r"\b(command|args|exec)\b")
_LOADED = re.compile(r"LD_|PYTHON|BASH_ENV$|ENV$|PATH$")  # variables that name code
_PATH = f"{DEFAULT_PATH}:{PYTHON_BIN}:{os.environ.get('PATH', '')}"


class Refused(RuntimeError):
    """Something that is not run here; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Guarded(Cluster):
    """A cluster whose kubectl does only what recordings may ask for."""

    root: Path = Path()

    @classmethod
    def of(cls, cluster: Cluster, root: Path) -> Guarded:
        return cls(cluster.kubeconfig, cluster.info, cluster.process, root.resolve())

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> Ran:
        """Run kubectl; raises Refused."""
        check(arguments, stdin, self.root)
        # By name: a dataclass with slots is another class than the one that super() means.
        return Cluster.kubectl(self, *arguments, stdin=stdin, timeout=timeout)


def words(command: str) -> tuple[str, ...]:
    """The words after `kubectl` in a recorded command line; raises Refused."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        found = list(lexer)
    except ValueError as error:
        raise Refused(f"is no command line: {error}") from None
    if not found or found[0] != "kubectl":
        raise Refused("not a kubectl command")
    if any(_SHELL.fullmatch(word) for word in found):
        raise Refused("needs a shell, in which recordings are not run")
    return tuple(found[1:])


def check(arguments: Sequence[str], stdin: str, root: Path) -> None:
    """Raise Refused for what recordings may not run."""
    own, inner = list(arguments), list[str]()
    if "--" in own:
        own, inner = own[: own.index("--")], own[own.index("--") + 1 :]
    verb = _verb(own)
    if verb not in _VERBS and (verb or inner):
        raise Refused(f"`kubectl {verb}` is not run here")
    for word in own:
        if _REFUSED.match(word):
            raise Refused(f"{word.partition('=')[0]} is not used here")
    _own_cluster(own)
    if inner or verb == "exec":
        _program(inner)
    files = [] if verb == "logs" else [name for name in _values(own, _FILE) if name != "-"]
    manifests = (text for name in files for text in _texts(name, root))
    for text in (stdin, *_values(own, _PATCH), *manifests):
        _manifests(text)


def _verb(own: Sequence[str]) -> str:
    """The first word that is neither a flag nor the value of one; raises Refused when unsure."""
    skip = False
    for word in own:
        if skip:
            skip = False
        elif not word.startswith("-"):
            return word
        elif word in _VALUED:
            skip = True
        elif "=" not in word and word not in _SWITCHES:
            raise Refused(f"{word} before the verb is not used here")
    return ""


def _values(own: Sequence[str], flag: re.Pattern[str]) -> Iterator[str]:
    """The values of a flag, in any of its spellings."""
    for word, following in zip(own, (*own[1:], ""), strict=True):
        if found := flag.fullmatch(word):
            yield found[1] or found[2] or following


def _own_cluster(own: Sequence[str]) -> None:
    """Refuse to speak with another cluster, but for addresses of this machine."""
    for name, allowed in (("--kubeconfig", re.compile("/dev/null")), ("--server", _OWN_SERVER),
                          ("-s", _OWN_SERVER)):  # fmt: skip
        for value in _values(own, re.compile(rf"{name}(?:=(.+))?(\Z\A)?")):
            if not allowed.fullmatch(value):
                raise Refused(f"{name} {value} is not used here")


def _texts(names: str, root: Path) -> Iterator[str]:
    """What a command reads from files; raises Refused for those outside the folder."""
    for name in names.split(","):
        if "://" in name or set(name) & set('*?["'):
            raise Refused(f"{name} is no name of one file")
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.exists() and not file.resolve().is_relative_to(root.resolve()):
                raise Refused(f"{name} is not in the folder")
            if file.is_file():
                yield file.read_text(errors="replace")


def _program(inner: Sequence[str]) -> None:
    """Refuse what a pod may not run."""
    if not inner or inner[0] not in _PROGRAMS:
        raise Refused(f"{inner[0] if inner else 'nothing'!r} is not run in a pod here")
    if inner[0] != "curl":
        return
    for word, following in zip(inner[1:], (*inner[2:], ""), strict=True):
        writes = (word == "-o" and following != "/dev/null") or "%output" in word
        if writes or not _CURL.fullmatch(word):
            raise Refused(f"curl is not run with {word} here")


def _manifests(text: str) -> None:
    """Refuse manifests and patches that bring a program."""
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        if _RUNS.search(text):
            raise Refused("a manifest with commands cannot be read") from None
        return
    for document in documents:
        for part in _parts(document):
            _part(part)


def _parts(found: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings in a document."""
    if isinstance(found, dict):
        yield found
    inner = found.values() if isinstance(found, dict) else found
    for item in inner if isinstance(found, dict | list) else ():
        yield from _parts(item)


def _part(part: Mapping[str, Any]) -> None:
    """Refuse a container, hook, probe or patch that runs a program."""
    if "op" in part and _RUNS.search(str(part.get("path"))):
        raise Refused("a patch of commands is not applied here")
    action = part.get("exec")
    if isinstance(action, dict):
        _command(action.get("command"), ())
    if isinstance(part.get("image"), str) or "command" in part or "args" in part:
        volumes = [m for m in part.get("volumeMounts") or () if isinstance(m, dict)]
        _command(part.get("command"), [str(m.get("mountPath")) for m in volumes])
        _arguments(part)


def _command(command: Any, mounts: Sequence[str]) -> None:
    """Refuse a command that this machine or a volume has, but for a harmless one."""
    if not isinstance(command, list) or not command:
        return
    name = str(command[0])
    relative = "/" in name and not name.startswith("/")
    here = relative or shutil.which(name, path=_PATH) is not None or Path(name).exists()
    mounted = any(Path("/", name).is_relative_to(Path("/", mount)) for mount in mounts)
    if here or mounted:
        _program([str(word) for word in command])


def _arguments(container: Mapping[str, Any]) -> None:
    """Refuse code for programs of the catalogue that take some."""
    variables = [str(v.get("name")) for v in container.get("env") or () if isinstance(v, dict)]
    loaded = any(map(_LOADED.match, variables)) or bool(container.get("envFrom"))
    brings = bool(container.get("args")) or loaded
    image = str(container.get("image"))
    if brings and _is_program(image) and not container.get("command"):
        raise Refused(f"{image} gets no code from recordings here")
    if loaded and container.get("command"):
        raise Refused("a command gets no code from recordings here")


@cache
def _is_program(image: str) -> bool:
    """Whether an image stands for a program of this machine, which is no service of ours."""
    try:
        return bool(Catalogue.load().find(image).command)
    except ImageError:
        return image == "None"  # a patch of whatever is there
