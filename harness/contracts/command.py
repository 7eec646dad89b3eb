"""The kubectl arguments of each action: always a list, never a line for a shell."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts.model import Logs, Read, Resource, Wait

FIELD_MANAGER = "vpm-runner"


def read_arguments(action: Read | Wait | Logs, *, namespace: str) -> list[str]:
    """The arguments of an action that only looks; `namespace` is the contract's target."""
    options = _place(action.resource, namespace)
    if action.selector:
        options.append(f"--selector={action.selector}")
    match action:
        case Read():
            options += [f"--output={action.output}"] if action.output else []
            return [action.verb, *_subject(action.resource), *options]
        case Wait():
            options += [f"--for=condition={action.condition}", f"--timeout={action.timeout:g}s"]
            return ["wait", *_subject(action.resource), *options]
        case Logs():
            options += [f"--container={action.container}"] if action.container else []
            name = [action.resource.name] if action.resource.name else []
            return ["logs", *name, *options, f"--tail={action.tail}"]


def diff_arguments(namespace: str) -> list[str]:
    """Compare the manifest on standard input with the cluster, on the server's side."""
    return ["diff", f"--field-manager={FIELD_MANAGER}", "-n", namespace, "-f", "-"]


def apply_arguments(namespace: str, *, dry: bool) -> list[str]:
    """Apply the manifest on standard input; dry: let the server check it and change nothing."""
    options = ["--dry-run=server", "-o", "name"] if dry else []
    return ["apply", *options, f"--field-manager={FIELD_MANAGER}", "-n", namespace, "-f", "-"]


def printed_names(resource: Resource, names: Sequence[str]) -> list[str]:
    """What `-o name` prints for objects, for example `service.serving.knative.dev/hello`."""
    group = resource.known.group if resource.known else ""
    kind = ".".join(filter(None, [resource.kind.lower(), group]))
    return [f"{kind}/{name}" for name in names]


def get_arguments(resource: Resource, names: Sequence[str], namespace: str) -> list[str]:
    """Show objects as YAML; those that do not exist are left out."""
    return ["get", _type(resource), *names, "-n", namespace, "-o", "yaml", "--ignore-not-found"]


def ready_arguments(
    resource: Resource, names: Sequence[str], namespace: str, seconds: float
) -> list[str]:
    """Wait until objects are READY at their newest generation."""
    subjects = [f"{_type(resource)}/{name}" for name in names]
    return ["wait", "--for=condition=Ready", *subjects, "-n", namespace, f"--timeout={seconds:g}s"]


def _subject(resource: Resource) -> list[str]:
    return [f"{_type(resource)}/{resource.name}"] if resource.name else [_type(resource)]


def _place(resource: Resource, namespace: str) -> list[str]:
    if resource.known is not None and not resource.known.namespaced:
        return []
    return ["-n", resource.namespace or namespace]


def _type(resource: Resource) -> str:
    if resource.known is None:
        raise ValueError(f"{resource.api}/{resource.kind} is not a known kind")
    return resource.known.qualified
