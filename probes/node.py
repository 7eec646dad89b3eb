"""Checks inside the cluster, through testinfra: kind's node (docker://) and a pod (kubectl://)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from harness.core.finding import Check, Seen, failure, ok, skipped

_FREE: Final = 2 * 1024**3
_WATCHES: Final = 65536


@dataclass(frozen=True, slots=True)
class Inside:
    """A place inside the cluster; `host` is testinfra's, `name` what people call it."""

    host: Any
    name: str


def node(name: str) -> Inside:
    """A node of kind, by its container's name."""
    import testinfra

    return Inside(testinfra.get_host(f"docker://{name}"), name)


def pod(name: str, *, namespace: str, container: str, kubeconfig: Path, context: str) -> Inside:
    """A pod that has /bin/sh."""
    import testinfra

    query = f"namespace={quote(namespace)}&container={quote(container)}"
    place = f"kubeconfig={quote(str(kubeconfig), safe='')}&context={quote(context)}"
    return Inside(testinfra.get_host(f"kubectl://{name}?{query}&{place}"), f"{namespace}/{name}")


def _kubelet(inside: Inside) -> Seen:
    if inside.host.service("kubelet").is_running:
        return ok(f"kubelet runs on {inside.name}")
    return failure(
        f"kubelet does not run on {inside.name}",
        f"docker exec {inside.name} journalctl -u kubelet --no-pager -n 50",
    )


def _disk(inside: Inside) -> Seen:
    done = inside.host.run("df -P -k /")
    if done.rc != 0:
        return failure(f"{inside.name} does not answer: {done.stderr.strip()}", "docker ps")
    free = int(done.stdout.splitlines()[-1].split()[3]) * 1024
    seen = f"{free / 1024**3:.1f} GiB free on {inside.name}"
    return ok(seen) if free >= _FREE else failure(seen, "docker system prune")


def _watches(inside: Inside) -> Seen:
    value = int(inside.host.sysctl("fs.inotify.max_user_watches"))
    seen = f"max_user_watches {value} on {inside.name}"
    mend = "on this machine: sudo sysctl fs.inotify.max_user_watches=524288"
    return ok(seen) if value >= _WATCHES else failure(seen, mend)


def _cluster_dns(inside: Inside) -> Seen:
    name = "kubernetes.default.svc.cluster.local"
    done = inside.host.run("getent hosts %s", name)
    if done.rc == 127:
        return skipped(f"{inside.name} has no getent")
    if done.rc == 0:
        return ok(f"{name} is {done.stdout.split()[0]} in {inside.name}")
    return failure(
        f"{name} does not resolve in {inside.name}",
        "kubectl -n kube-system get pods -l k8s-app=kube-dns",
    )


NODE: Final = (
    Check("node-kubelet", "no pod starts without the kubelet", _kubelet),
    Check("node-disk", "a node under disk pressure evicts pods", _disk),
    Check("node-inotify", "the node shares this machine's limits", _watches),
)
POD: Final = (Check("pod-dns", "the in-cluster vantage resolves cluster names", _cluster_dns),)
