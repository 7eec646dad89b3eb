"""The machine's checks, on a machine of answers and, once, on this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.core.finding import Finding, Status, perform_all
from probes.host import LOCAL, Machine, local_machine
from tests.support.fake_install import gateway
from tests.support.kind_machine import free_port
from tests.support.standin import Call, install

MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:   {kb} kB\n"
LIMITS = {"fs.inotify.max_user_watches": 524288, "fs.inotify.max_user_instances": 512}


@dataclass
class FakeFile:
    exists: bool
    content_string: str = ""


@dataclass
class FakeRun:
    rc: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass
class FakeHost:
    """As much of testinfra's host as the checks use."""

    type: str = "linux"
    files: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)
    runs: Mapping[str, FakeRun] = field(default_factory=dict)

    @property
    def system_info(self) -> FakeHost:
        return self

    def file(self, path: str) -> FakeFile:
        return FakeFile(path in self.files, self.files.get(path, ""))

    def sysctl(self, name: str) -> int:
        return self.limits[name]

    def run(self, command: str) -> FakeRun:
        return self.runs.get(command, FakeRun())


def find(machine: Machine, check: str) -> Finding:
    """One check's finding."""
    chosen = [item for item in LOCAL[machine.provider] if item.id == check]
    return perform_all(chosen, machine)[0]


def test_the_embedded_cluster_needs_linux() -> None:
    found = find(Machine(FakeHost(type="darwin"), "embedded"), "system")
    assert found.status is Status.FAILURE
    assert "kind or existing" in (found.mend or "")
    assert find(Machine(FakeHost(type="darwin"), "kind"), "system").status is Status.OK


@pytest.mark.parametrize(
    ("provider", "kb", "status"),
    [
        ("kind", 8_000_000, Status.OK),
        ("kind", 2_000_000, Status.FAILURE),
        ("embedded", 2_000_000, Status.OK),
        ("embedded", 100_000, Status.FAILURE),
    ],
)
def test_memory(provider: str, kb: int, status: Status) -> None:
    host = FakeHost(files={"/proc/meminfo": MEMINFO.format(kb=kb)})
    found = find(Machine(host, provider), "memory")
    assert found.status is status
    assert f"{kb * 1024 / 1024**3:.1f} GiB available" in found.seen


def test_memory_where_nobody_can_tell() -> None:
    assert find(Machine(FakeHost(), "kind"), "memory").status is Status.SKIPPED


def test_inotify_limits_name_only_what_is_too_low() -> None:
    low = {**LIMITS, "fs.inotify.max_user_instances": 128}
    found = find(Machine(FakeHost(limits=low), "kind"), "inotify")
    assert found.status is Status.WARNING
    assert found.mend == "sudo sysctl fs.inotify.max_user_instances=512"
    assert find(Machine(FakeHost(), "kind"), "inotify").status is Status.OK


@pytest.mark.parametrize(
    ("files", "status"),
    [({"/sys/fs/cgroup/cgroup.controllers": ""}, Status.OK), ({}, Status.WARNING)],
)
def test_cgroups(files: dict[str, str], status: Status) -> None:
    assert find(Machine(FakeHost(files=files), "kind"), "cgroups").status is status


def test_ports_in_use_unless_they_are_ours() -> None:
    with gateway() as port:
        machine = Machine(FakeHost(), "kind", ports=(port, free_port()))
        found = find(machine, "ports")
        assert found.status is Status.FAILURE
        assert f"port {port} of 127.0.0.1 in use" in found.seen
        assert f"sport = :{port}" in (found.mend or "")
        ours = Machine(FakeHost(), "kind", ports=(port,), ports_ours=True)
        assert find(ours, "ports").status is Status.OK
    assert find(machine, "ports").status is Status.OK


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, Status.OK),
        ({"HTTP_PROXY": "http://proxy:3128"}, Status.WARNING),
        ({"https_proxy": "http://p", "no_proxy": "example.org, 127.0.0.1"}, Status.OK),
        ({"ALL_PROXY": "socks5://p", "NO_PROXY": "example.org"}, Status.WARNING),
    ],
)
def test_proxies(environment: dict[str, str], status: Status) -> None:
    found = find(Machine(FakeHost(), "existing", environment=environment), "proxies")
    assert found.status is status
    assert "://" not in found.seen  # A proxy's address may carry a password.


@pytest.mark.parametrize("command", ["unshare -m true", "unshare -Urm true"])
def test_mount_namespaces(command: str) -> None:
    user = "0" if command == "unshare -m true" else "1000"
    refused = FakeRun(1, stderr="unshare failed: Operation not permitted")
    host = FakeHost(runs={"id -u": FakeRun(stdout=f"{user}\n"), command: refused})
    found = find(Machine(host, "embedded"), "namespaces")
    assert found.status is Status.WARNING
    assert "Operation not permitted" in found.seen


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (FakeRun(stdout="yes\n"), Status.OK, ", synchronised"),
        (FakeRun(stdout="no\n"), Status.WARNING, "not synchronised"),
        (FakeRun(127), Status.OK, "nothing here says"),
    ],
)
def test_clock(answer: FakeRun, status: Status, words: str) -> None:
    host = FakeHost(runs={"timedatectl show --property=NTPSynchronized --value": answer})
    found = find(Machine(host, "existing"), "clock")
    assert found.status is status
    assert words in found.seen


def test_a_check_that_breaks_is_a_finding() -> None:
    found = find(Machine(FakeHost(files={"/proc/meminfo": "nonsense: x\n"}), "kind"), "memory")
    assert found.status is Status.FAILURE
    assert "the check could not run: KeyError" in found.seen


def test_this_machine_is_looked_at_in_time(tmp_path: Path) -> None:
    findings = perform_all(LOCAL["embedded"], local_machine("embedded", folder=tmp_path))
    assert [finding.id for finding in findings] == [
        "system",
        "memory",
        "disk",
        "inotify",
        "envoy",
        "loopback",
        "namespaces",
        "clock",
        "dns-magic",
        "proxies",
    ]
    for finding in findings:
        assert finding.seen
        assert finding.why
        assert bool(finding.mend) == (finding.status in (Status.WARNING, Status.FAILURE))
        assert "could not run" not in finding.seen


def test_a_node_is_looked_at_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from probes.node import NODE, node

    heading = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    answers = {
        "df -P -k /": f"{heading}\noverlay 9 1 1024 1% /\n",
        "command -v sysctl": "/sbin/sysctl\n",
    }
    shell = ("exec", "vpm-mini-control-plane", "/bin/sh", "-c")
    transcript = [Call((*shell, command), stdout=out) for command, out in answers.items()]
    transcript.append(Call((*shell, "{anything}"), exit=1, stderr="not there\n"))
    install(tmp_path, "docker", transcript)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = {item.id: item for item in perform_all(NODE, node("vpm-mini-control-plane"))}
    assert found["node-disk"].status is Status.FAILURE
    assert found["node-disk"].seen == "0.0 GiB free on vpm-mini-control-plane"
    assert found["node-kubelet"].status is Status.FAILURE
