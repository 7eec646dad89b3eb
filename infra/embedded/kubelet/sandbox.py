"""What the containers of one pod share, and the program that a container comes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.embedded.kubelet import environment, volumes
from infra.embedded.kubelet.environment import Obj
from infra.embedded.kubelet.images import DEFAULT_PATH, PYTHON_BIN, Image
from infra.embedded.kubelet.node import API_ADDRESS, Node
from infra.embedded.kubelet.runtime import Program
from infra.embedded.kubelet.scheduler import quantity


@dataclass(slots=True)
class Sandbox:
    """What the containers of one pod share."""

    node: Node
    pod: Obj  # the latest version
    address: str
    namespace: int | None  # descriptor of the network namespace
    folder: Path
    changed: Callable[[], None]  # something that the pod's status shows has changed
    volumes: Mapping[str, Path] = field(default_factory=dict)

    def event(self, type: str, reason: str, message: str) -> None:
        self.node.event(self.pod, type, reason, message)


def container_program(sandbox: Sandbox, spec: Mapping[str, Any], image: Image) -> Program:
    """What to run for a container; raises ConfigError when it refers to something missing."""
    node, pod, name = sandbox.node, sandbox.pod, sandbox.pod["metadata"]["name"]
    base = {
        "PATH": f"{PYTHON_BIN}:{DEFAULT_PATH}",
        "HOME": "/",
        "HOSTNAME": name,
        **_api(node),
        **image.env,
    }
    lookup = node.lookup(pod["metadata"]["namespace"])
    variables = environment.environment(spec, pod, lookup, base)
    if (port := variables.get("PORT", "")).isdecimal():
        variables["PORT"] = str(node.network.port(sandbox.address, int(port)))
    argv = environment.command_line(spec, image.command, variables)
    security = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    isolated = node.network.isolated
    files = tuple((source, target, True) for target, source in image.files.items())
    return Program(
        argv=argv or (image.entry,),
        env=variables,
        entry="" if spec.get("command") else image.entry,
        directory=spec.get("workingDir") or image.directory,
        user=security.get("runAsUser", image.user),
        group=security.get("runAsGroup"),
        hostname=pod["spec"].get("hostname") or name,
        base=str(node.base) if isolated else "",
        files=node.etc_files(pod, sandbox.address) if isolated else {},
        mounts=(*files, *volumes.mounts(spec, sandbox.volumes)),
        memory=_memory_limit(spec),
    )


def _memory_limit(spec: Mapping[str, Any]) -> int:
    """The container's limits.memory in bytes; 0 without one."""
    given = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    try:
        return int(quantity(given or 0))
    except ValueError:
        return 0  # no number: the API server has let it pass, and a node cannot use it


def _api(node: Node) -> Mapping[str, str]:
    """Where a client in the pod finds the API server: on loopback no Service has an address."""
    host, port = API_ADDRESS, 443
    if node.network.mode == "loopback" and node.settings.api_address is not None:
        host, port = node.settings.api_address
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
