"""The ways in which a cluster cannot be used, each with a name of its own (all exit 4)."""

from __future__ import annotations

from harness.core.errors import ClusterError


class EngineUnavailable(ClusterError):
    """No container engine answers, so kind cannot run."""


class ToolMissing(ClusterError):
    """A program that is needed is not installed."""


class WrongContext(ClusterError):
    """The context does not exist, or the scenario does not allow it."""


class KnativeMissing(ClusterError):
    """Knative Serving is not installed."""


class KnativeIncomplete(ClusterError):
    """Knative Serving is there in part, or does not run."""


class VersionSkew(ClusterError):
    """Versions that do not work together."""


class ForeignIngress(ClusterError):
    """Knative uses another ingress than kourier."""


class NodePortTaken(ClusterError):
    """A NodePort that kourier needs belongs to another Service."""


class PortTaken(ClusterError):
    """A port of this machine that the cluster needs is in use."""


class GatewayUnreachable(ClusterError):
    """No gateway answers from this machine."""


class DeletionRefused(ClusterError):
    """A teardown that could hurt."""


class BootstrapFailed(ClusterError):
    """A step of the installation of Knative did not succeed."""


class ImageUnavailable(ClusterError):
    """An image cannot be pulled or loaded."""


class NodeNotReady(ClusterError):
    """The node did not become ready in time."""


class ResourcesExhausted(ClusterError):
    """Disk, memory or a kernel limit of this machine is used up."""


class AccessDenied(ClusterError):
    """This user may not do what is needed."""
