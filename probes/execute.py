"""The vantage `kubectl://POD`: the probe engine inside a pod that is already there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from threading import Event
from urllib.parse import parse_qs, urlsplit

from harness.core.errors import ProbeError, UsageError
from harness.core.identity import VantageIdentity
from harness.ports import Kubectl, ProbeRequest, ProbeResult
from probes.build import agent_bytes
from probes.vantage import engine_error

# The engine comes in through standard input and stays in memory: nothing is left in the pod, and
# a read-only file system does not matter. What follows it on standard input is the plan.
_BOOT = (
    "import os, runpy, sys; source = sys.stdin.buffer; size = int(source.readline()); "
    "fd = os.memfd_create('agent'); os.write(fd, source.read(size)); "
    "sys.argv = [f'/proc/self/fd/{fd}', '-']; runpy.run_path(sys.argv[0], run_name='__main__')"
)
# An engine in a pod outlives the kubectl that started it: it is found by the mark in its command.
_END = (
    "import os, signal, sys\n"
    "for pid in filter(str.isdecimal, os.listdir('/proc')):\n"
    "    try:\n"
    "        with open(f'/proc/{pid}/cmdline', 'rb') as file:\n"
    "            words = file.read().split(b'\\0')\n"
    "        ours = words[1:4] == [b'-I', b'-S', b'-c'] and sys.argv[1].encode() in words\n"
    "        if ours and int(pid) != os.getpid():\n"
    "            os.kill(int(pid), signal.SIGTERM)\n"
    "    except OSError:\n"
    "        pass\n"
)
_END_TIMEOUT = 5.0
_END_TRIES = 5
_NO_SUCH_COMMAND = (126, 127)


@dataclass(frozen=True, slots=True)
class PodAddress:
    """A pod as a vantage names it: `kubectl://[NAMESPACE/]POD[?container=NAME]`."""

    namespace: str
    pod: str
    container: str = ""


def pod_address(vantage: str, *, namespace: str) -> PodAddress:
    """The pod that a vantage names; `namespace` is where it is when the vantage does not say.

    Errors:
        UsageError: the vantage names no pod.
    """
    parts = urlsplit(vantage)
    place, pod = (
        (parts.netloc, parts.path.strip("/")) if parts.path.strip("/") else ("", parts.netloc)
    )
    if not vantage.startswith("kubectl://") or not pod or "/" in pod:
        raise UsageError(
            f"{vantage} names no pod", mend="write kubectl://POD or kubectl://NAMESPACE/POD"
        )
    container = parse_qs(parts.query).get("container", [""])[0]
    return PodAddress(place or namespace, pod, container)


@dataclass(slots=True)
class ExecVantage:
    """Runs the engine in a running pod through `kubectl exec`; implements the port `Vantage`."""

    name: str
    address: PodAddress
    kubectl: Kubectl
    mark: str = field(default_factory=lambda: f"vpm-{secrets.token_hex(8)}")
    _abandoned: Event = field(default_factory=Event)
    _running: Event = field(default_factory=Event)
    _ended: Event = field(default_factory=Event)

    def probe(self, request: ProbeRequest) -> ProbeResult:
        """Run the plan; the samples are in `request.samples` when it returns.

        Errors:
            UsageError: the engine refused the plan.
            ProbeError: the pod has no Python, cannot be reached, or did not end in time.
        """
        agent = agent_bytes()
        self._running.set()
        if self._abandoned.is_set():
            raise ProbeError(f"{self.name}: abandoned before it began")
        try:
            done = self.kubectl.run(
                self._command(_BOOT),
                timeout=request.timeout,
                stdin=f"{len(agent)}\n".encode() + agent + request.plan.encode(),
            )
        finally:
            self._ended.set()
        if done.timed_out:
            raise ProbeError(f"{self.name}: no end of the probes after {request.timeout:.0f} s")
        if done.exit_code in _NO_SUCH_COMMAND or "executable file not found" in done.stderr:
            raise ProbeError(
                f"{self.name}: this pod has no python3",
                mend="probe from in-cluster, or from a pod whose image has Python 3.9 or later",
            )
        if "(NotFound)" in done.stderr:
            raise ProbeError(
                f"there is no pod {self.address.namespace}/{self.address.pod}",
                mend=f"kubectl -n {self.address.namespace} get pods",
            )
        if done.truncated:
            raise ProbeError(
                f"{self.name}: more samples than kubectl exec can bring back",
                mend="ask for fewer requests from this vantage",
            )
        if done.exit_code != 0:
            raise engine_error(self.name, done.exit_code, done.stderr)
        request.samples.write_text(done.stdout, encoding="utf-8")
        return ProbeResult(VantageIdentity(self.name, pod=self.address.pod), request.samples)

    def abandon(self) -> None:
        """End the engine of a `probe` that is under way, or is about to be; else nothing."""
        self._abandoned.set()
        if not self._running.is_set():
            return
        for _ in range(_END_TRIES):  # it may only be on its way there
            if self._ended.is_set():
                return
            self.kubectl.run(self._command(_END), timeout=_END_TIMEOUT)
            self._ended.wait(1.0)

    def _command(self, program: str) -> list[str]:
        container = ["--container", self.address.container] if self.address.container else []
        command = ["exec", "--stdin", "--namespace", self.address.namespace, *container]
        return [*command, self.address.pod, "--", "python3", "-I", "-S", "-c", program, self.mark]
