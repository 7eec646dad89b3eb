"""A stand-in for kubectl and a cluster: enough of both for the runner, kept in one JSON file.

As a module it is a fake of the port `Kubectl`; as a program (`kubectl_standin.py STATE ARGS...`)
it is what a real KubectlProcess starts, so that processes can be killed and raced. It applies for
real (generations grow, READY follows) and keeps a list of every call.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

UID = "11111111-2222-3333-4444-555555555555"
QUALIFIED = "services.serving.knative.dev"
State = dict[str, Any]


def new_state(**behaviour: Any) -> State:
    """An empty cluster. Behaviour: `fail` {verb: [code, stderr]}, `hang` verb, `never_ready`,
    `serves` kinds, `reads` names in a dry run, `slow` seconds for each call, `moves`
    (somebody else writes after an apply)."""
    return {
        "uid": UID,
        "objects": {},
        "calls": [],
        "applied": 0,
        "serves": [QUALIFIED],
        **behaviour,
    }


class Standin:
    """Answers kubectl's arguments on a state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, args: Sequence[str], stdin: bytes) -> tuple[int, str, str]:
        verb, options, words = _parse(args)
        self.state["calls"].append(list(args))
        failing = self.state.get("fail", {})
        key = "dry-run" if options.dry_run else verb
        if key in failing:
            return failing[key][0], "", failing[key][1]
        return getattr(self, f"_{verb.replace('-', '_')}")(options, words, stdin)

    def _api_resources(self, _options: Any, _words: list[str], _stdin: bytes) -> Any:
        return 0, "\n".join(self.state["serves"]) + "\n", ""

    def _get(self, options: Any, words: list[str], _stdin: bytes) -> Any:
        if words[:2] == ["namespaces", "kube-system"]:
            return 0, self.state["uid"], ""
        kind, *names = (words[0].split("/") + words[1:]) if words else [""]
        if kind != QUALIFIED:
            return 0, f"NAME\n{kind}-1\n", ""
        found = [self.state["objects"][name] for name in names if name in self.state["objects"]]
        if len(found) < len(names) and not options.ignore_not_found:
            return 1, "", f'Error from server (NotFound): {QUALIFIED} "{names[0]}" not found\n'
        if not found:
            return 0, "", ""
        shown = (
            found[0] if len(names) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}
        )
        return 0, yaml.safe_dump(shown), ""

    def _describe(self, _options: Any, words: list[str], _stdin: bytes) -> Any:
        return 0, f"Name: {words[0]}\n", ""

    def _logs(self, _options: Any, _words: list[str], _stdin: bytes) -> Any:
        return 0, "a line\nAuthorization: Bearer abcdefghijklmnop\n", ""

    def _kustomize(self, _options: Any, words: list[str], _stdin: bytes) -> Any:
        folder = Path(words[0])
        resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        return 0, "---\n".join((folder / name).read_text() for name in resources), ""

    def _diff(self, _options: Any, _words: list[str], stdin: bytes) -> Any:
        lines: list[str] = []
        for item in _documents(stdin):
            if self._differs(item):
                live = self.state["objects"].get(item["metadata"]["name"], {})
                old, new = (_wish_of(version).splitlines() for version in (live, item))
                lines += difflib.unified_diff(old, new, "/tmp/LIVE-1", "/tmp/MERGED-2", lineterm="")
        text = "".join(f"{line}\n" for line in lines)
        return (1, text, "") if lines else (0, "", "")

    def _apply(self, options: Any, _words: list[str], stdin: bytes) -> Any:
        wanted = _documents(stdin)
        if options.dry_run:
            names = [f"service.serving.knative.dev/{item['metadata']['name']}" for item in wanted]
            return 0, "".join(f"{name}\n" for name in self.state.get("reads", names)), ""
        lines = []
        self.state["applied"] += 1
        for item in wanted:
            name = item["metadata"]["name"]
            existed = name in self.state["objects"]
            if self._differs(item):
                self._write(item)
            verb = "configured" if existed else "created"
            lines.append(f"service.serving.knative.dev/{name} {verb}\n")
        return 0, "".join(lines), "Warning: Kubernetes default value is insecure\n"

    def _wait(self, _options: Any, words: list[str], _stdin: bytes) -> Any:
        for word in words:
            live = self.state["objects"].get(word.partition("/")[2])
            if live is None:
                return 1, "", f'Error from server (NotFound): {word} "x" not found\n'
            if self.state.get("never_ready"):
                return 1, "", f"error: timed out waiting for the condition on {word}\n"
            _make_ready(live)
            if self.state.get("moves"):
                self._write({**copy.deepcopy(live), "spec": {"moved": True}})
        return 0, "".join(f"{word} condition met\n" for word in words), ""

    def _differs(self, item: State) -> bool:
        live = self.state["objects"].get(item["metadata"]["name"])
        return live is None or live["spec"] != item["spec"]

    def _write(self, item: State) -> None:
        name = item["metadata"]["name"]
        live = self.state["objects"].get(
            name, {"metadata": {"generation": 0, "uid": f"uid-{name}"}}
        )
        written = copy.deepcopy(item)
        written["metadata"]["generation"] = live["metadata"]["generation"] + 1
        written["metadata"]["uid"] = live["metadata"]["uid"]
        written["metadata"]["resourceVersion"] = str(self.state["applied"])
        written["status"] = live.get("status", {})
        self.state["objects"][name] = written


def _make_ready(live: State) -> None:
    generation = live["metadata"]["generation"]
    revision = f"{live['metadata']['name']}-{generation:05d}"
    live["status"] = {
        "observedGeneration": generation,
        "latestCreatedRevisionName": revision,
        "latestReadyRevisionName": revision,
        "conditions": [{"type": "Ready", "status": "True"}],
    }


def _wish_of(item: State) -> str:
    if not item:
        return ""
    metadata = {"name": item["metadata"]["name"], "namespace": item["metadata"]["namespace"]}
    return yaml.safe_dump({"metadata": metadata, "spec": item["spec"]})


def _documents(stdin: bytes) -> list[State]:
    return [document for document in yaml.safe_load_all(stdin) if document]


def _parse(args: Sequence[str]) -> tuple[str, Any, list[str]]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry-run")
    parser.add_argument("--ignore-not-found", action="store_true")
    for name in ("-n", "-f", "-o", "--output", "--field-manager", "--timeout", "--for"):
        parser.add_argument(name)
    for name in ("--kubeconfig", "--context", "--cache-dir", "--api-group", "--selector"):
        parser.add_argument(name)
    for name in ("--tail", "--container"):
        parser.add_argument(name)
    parser.add_argument("words", nargs="*")
    options = parser.parse_intermixed_args(list(args))
    return options.words[0], options, options.words[1:]


@contextmanager
def state_file(path: Path) -> Iterator[State]:
    """The state in a file, locked against other processes; written back whole."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads(path.read_text())
        yield state
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(state))
        temporary.replace(path)


def main() -> int:
    """`kubectl_standin.py STATE ARGS...`: what kubectl would do with ARGS."""
    path = Path(sys.argv[1])
    stdin = sys.stdin.buffer.read()
    verb = _parse(sys.argv[2:])[0]
    with state_file(path) as state:
        code, stdout, stderr = Standin(state).answer(sys.argv[2:], stdin)
    # What an API server does after the write: a slow answer, or none at all.
    time.sleep(3600 if state.get("hang") == verb else state.get("slow", 0))
    sys.stdout.write(stdout)
    sys.stderr.write(stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
