"""What the kubelet is told at start."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node.  `images` are catalogue files besides the built-in one, later ones first."""

    state_dir: Path
    name: str  # the cluster's name
    node_name: str
    images: tuple[Path, ...] = ()
    api_address: tuple[str, int] | None = None  # what pods reach as kubernetes.default.svc
    cluster_domain: str = "cluster.local"
    secret: str = field(default="", repr=False)  # what service account tokens are minted with
