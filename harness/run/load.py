"""Scenario files: find them, read them, and check the files that they name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import Problem, SpecError, UsageError
from harness.core.plan import Plan, plan_scenario
from harness.spec.parse import read_scenario
from harness.spec.yaml_source import Path as Place
from harness.spec.yaml_source import Source, read_yaml

SCENARIO = "scenario.yaml"
_ROOT_MARKS = (".git", "pyproject.toml")


def find_root(start: Path) -> Path:
    """The repository that a scenario's paths start from: the nearest one above it, else here."""
    folders = (start.resolve(), *start.resolve().parents)
    marked = (
        folder
        for folder in folders
        if folder.is_dir() and any((folder / mark).exists() for mark in _ROOT_MARKS)
    )
    return next(marked, Path.cwd())


def find_scenarios(path: Path) -> tuple[Path, ...]:
    """The scenario files of a path: itself, or those of a folder and the folders below it.

    Errors:
        UsageError: there is no such path, or no scenario in it.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise UsageError(f"{path}: no such file or folder")
    found = tuple(sorted(file for file in path.rglob(SCENARIO) if file.is_file()))
    if not found:
        raise UsageError(
            f"{path}: there is no {SCENARIO} in this folder",
            mend=f"name a scenario's folder, or write one: {path / SCENARIO}",
        )
    return found


def load_plan(path: Path, *, root: Path | None = None) -> Plan:
    """Read a scenario file and check that the files it names are there.

    Errors:
        SpecError: everything that is wrong, each at file:line:column.
        UsageError: the file cannot be read.
    """
    file = _display(path)
    text = _read_text(path)
    parsed = read_scenario(text, file)
    missing = file_problems(parsed.source, path.parent, root or find_root(path.parent))
    problems = (*parsed.problems, *missing)
    if parsed.scenario is None or problems:
        raise SpecError(problems)
    return plan_scenario(parsed.scenario, text=text, source=file)


def file_problems(source: Source, folder: Path, root: Path) -> Iterator[Problem]:
    """Manifests and contracts that are missing or do not hold what the scenario says."""
    value = source.value if isinstance(source.value, dict) else {}
    services, steps = value.get("services"), value.get("steps")
    for name, service in services.items() if isinstance(services, dict) else ():
        manifest = service.get("manifest") if isinstance(service, dict) else None
        if isinstance(service, dict) and isinstance(manifest, str):
            place = ("services", name, "manifest")
            namespace = str(service.get("namespace", "default"))
            for message, hint in _manifest_problems(root / manifest, name, namespace):
                yield source.problem(place, f"the manifest {manifest!r} {message}", hint)
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        yield from _update_problems(source, ("steps", index, "apply"), step, root)
        contract = step.get("contract") if isinstance(step, dict) else None
        file = contract.get("file") if isinstance(contract, dict) else None
        if isinstance(file, str):
            where = ("steps", index, "contract", "file")
            for message in _contract_problems(folder / file):
                yield source.problem(where, f"the contract {file!r} {message}")


def _update_problems(source: Source, at: Place, step: object, root: Path) -> Iterator[Problem]:
    """What is wrong with the manifest that an `apply` step has of its own."""
    apply = step.get("apply") if isinstance(step, dict) else None
    name, manifest = (
        (apply.get("service"), apply.get("manifest")) if isinstance(apply, dict) else (None, None)
    )
    services = source.value.get("services") if isinstance(source.value, dict) else None
    service = services.get(name) if isinstance(services, dict) and isinstance(name, str) else None
    if isinstance(manifest, str) and isinstance(name, str) and isinstance(service, dict):
        namespace = str(service.get("namespace", "default"))
        for message, hint in _manifest_problems(root / manifest, name, namespace):
            yield source.problem((*at, "manifest"), f"the manifest {manifest!r} {message}", hint)


def _manifest_problems(path: Path, name: str, namespace: str) -> Iterator[tuple[str, str | None]]:
    if problem := _not_there(path):
        yield problem
        return
    manifest = read_yaml(_read_text(path), _display(path))
    if manifest.problems:
        first = manifest.problems[0]
        yield f"cannot be read: line {first.line}, column {first.column}: {first.message}", None
        return
    body = manifest.value if isinstance(manifest.value, dict) else {}
    metadata = body.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    kind = f"{body.get('apiVersion')} {body.get('kind')}"
    if kind != "serving.knative.dev/v1 Service":
        yield f"holds {kind}", "it must hold one serving.knative.dev/v1 Service"
    elif found.get("name") != name or found.get("namespace", namespace) != namespace:
        written = f"{found.get('namespace', namespace)}/{found.get('name')}"
        yield f"is about {written}, not {namespace}/{name}", None


def _contract_problems(path: Path) -> Iterator[str]:
    if problem := _not_there(path):
        yield "; ".join(problem)
        return
    try:
        body = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        yield f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        return
    except RecursionError:
        yield "is nested too deeply"
        return
    if not isinstance(body, dict):
        yield "is not a JSON object"


def _not_there(path: Path) -> tuple[str, str] | None:
    """Why there is no such file, and where it was looked for; None when it is there."""
    try:
        return None if path.is_file() else ("does not exist", f"looked for {_display(path)}")
    except (OSError, ValueError):  # Too long, or with a character that no path can have.
        return "cannot be the name of a file", "write the path of one"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{_display(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{_display(path)}: is not UTF-8 text (byte {error.start})") from error


def _display(path: Path) -> str:
    """The path as a person would type it: relative to here where it lies below."""
    resolved = path.resolve()
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)
