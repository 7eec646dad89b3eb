"""What the gateway is told at start."""

from dataclasses import dataclass
from pathlib import Path

from infra.embedded.certs import Authority


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where to listen.  A port of 0 means any free one; https_port None means no HTTPS."""

    state_dir: Path
    address: str
    http_port: int = 80
    https_port: int | None = 443
    authority: Authority | None = None  # issues the HTTPS listener's certificates
