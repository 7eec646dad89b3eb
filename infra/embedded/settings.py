"""What one cluster is started with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """`address` and `port` are the gateway's; None and 0 leave the choice to the cluster."""

    state_dir: Path
    name: str
    address: str | None = None
    port: int = 80
    https_port: int = 443
    api_port: int = 6443
    time_scale: float = 1.0
    images: tuple[Path, ...] = ()
    ephemeral: bool = False

    @property
    def node(self) -> str:
        """The name of the cluster's one node."""
        return f"{self.name}-control-plane"

    @property
    def cluster_file(self) -> Path:
        return self.state_dir / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        return self.state_dir / "kubeconfig"
