"""The diagnostics bundle on the port to kubectl: complete, and bounded whatever hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.core.errors import CommandError
from harness.ports import CommandResult
from harness.run.bundle import PROVIDED_DUMP, ClusterBundle
from harness.run.names import resolve
from harness.run.tools import Suspect
from harness.runner.kubectl import KubectlProcess
from harness.timing.clock import SystemClock
from tests.unit.run.test_envoy import DUMP, HOST

HELLO = Suspect("default", "hello", (HOST, "localhost"))
FILES = {
    "default.hello/describe.txt",
    "default.hello/service.yaml",
    "default.hello/parts.yaml",
    "default.hello/parts.txt",
    "default.hello/logs/hello-1.user-container.txt",
    "default.hello/logs/hello-1.queue-proxy.txt",
    "default.hello/events.txt",
    "default.hello/dns.txt",
    "gateway/envoy-routes.json",
    "gateway/logs/hello-1.user-container.txt",
    "gateway/logs/hello-1.queue-proxy.txt",
    "gateway/objects.yaml",
    "gateway/describe.txt",
    "activator/logs/hello-1.user-container.txt",
    "activator/logs/hello-1.queue-proxy.txt",
    "activator/endpoints.yaml",
    "cluster/config.yaml",
    "cluster/pods.txt",
    "cluster/nodes.txt",
    "cluster/logs/hello-1.user-container.txt",
    "cluster/logs/hello-1.queue-proxy.txt",
    "index.txt",
}


@dataclass
class Answering:
    """A kubectl that answers everything; `broken` verbs fail with these words."""

    broken: dict[str, str] = field(default_factory=dict)
    missing: bool = False

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        if self.missing:
            raise CommandError("kubectl is not installed")
        words, argv = self.broken.get(args[0], ""), ("kubectl", *args)
        if words:
            return CommandResult(argv, 1, "", words, 0.1)
        return CommandResult(argv, 0, self._answer(args), "", 0.1)

    def _answer(self, args: Sequence[str]) -> str:
        if "sh" in args:
            return json.dumps(DUMP)
        if "getent" in args:
            return "198.18.96.1  STREAM hello\n198.18.96.1  DGRAM\n"
        if args[-1].startswith("jsonpath"):
            return "hello-1 user-container queue-proxy\n"
        return "pod/hello-1\n" if args[-1] == "name" else f"what {args[0]} says\n"


def collected(kubectl: Answering, folder: Path, **options: float) -> dict[str, str]:
    ClusterBundle(kubectl=kubectl, clock=SystemClock(), **options).collect([HELLO], folder)
    return texts(folder)


def texts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_a_bundle_is_complete(tmp_path: Path) -> None:
    found = collected(Answering(), tmp_path)
    assert set(found) == FILES
    assert "pod/hello-1: localhost: 198.18.96.1 STREAM hello" in found["default.hello/dns.txt"]
    assert "devbox: localhost: 127.0.0.1" in found["default.hello/dns.txt"]
    routes = json.loads(found["gateway/envoy-routes.json"])
    assert [host["domains"][0] for host in routes["virtual_hosts"]] == [HOST]


def test_a_gateway_in_another_namespace_is_looked_at_there(tmp_path: Path) -> None:
    bundle = ClusterBundle(kubectl=Answering(), clock=SystemClock(), gateway_namespace="ingress")
    bundle.collect([HELLO], tmp_path)
    index = texts(tmp_path)["index.txt"]
    assert index.count("-n ingress") == 3
    assert "kourier-system" not in index


def test_a_dump_that_the_driver_left_is_used_and_not_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "provider").mkdir()
    (tmp_path / PROVIDED_DUMP).write_text(json.dumps(DUMP))
    found = collected(Answering(broken={"exec": "the gateway has no shell"}), tmp_path)
    assert PROVIDED_DUMP not in found
    assert "default/other" not in found["gateway/envoy-routes.json"]


def test_what_cannot_be_had_is_said_in_the_index(tmp_path: Path) -> None:
    found = collected(Answering(broken={"logs": "the node is gone", "exec": "no shell"}), tmp_path)
    assert not [name for name in found if "/logs/" in name]
    index = found["index.txt"]
    assert "exit code 1: the node is gone" in index
    assert "Envoy's config dump cannot be had" in index
    assert "no shell" in index
    assert "default.hello/describe.txt" in found


def test_without_kubectl_the_bundle_says_so(tmp_path: Path) -> None:
    found = collected(Answering(missing=True), tmp_path)
    assert set(found) == {"index.txt", "default.hello/dns.txt"}
    assert "kubectl is not installed" in found["index.txt"]


def test_a_kubectl_that_hangs_is_ended_and_the_rest_not_asked(tmp_path: Path) -> None:
    hanging = tmp_path / "kubectl"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    hanging.chmod(0o700)
    kubectl = KubectlProcess(
        kubeconfig=tmp_path / "kubeconfig",
        context="c",
        clock=SystemClock(),
        executable=hanging,
    )
    bundle = ClusterBundle(kubectl=kubectl, clock=SystemClock(), seconds=2.0)
    began = time.monotonic()
    bundle.collect([HELLO], tmp_path / "bundle")
    # Each of its commands alone would wait for ten minutes.
    assert time.monotonic() - began < 120
    index = texts(tmp_path / "bundle")["index.txt"]
    assert "no answer within" in index
    assert "not asked, as the time for the bundle was over" in index


@pytest.mark.parametrize("name", ["no-such-host.invalid", "", "x" * 5000, "a b", "\N{SNOWMAN}"])
def test_a_name_without_an_answer_says_why(name: str) -> None:
    assert resolve(name, timeout=60).startswith(("no answer", "could not be asked"))


def test_a_resolver_that_does_not_answer_in_time_is_ended() -> None:
    assert resolve("localhost", timeout=0.0001) == "no answer within 0.0001 s"
