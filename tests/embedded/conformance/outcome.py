"""What a replay found: cases that agree or differ, by area."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.support.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded behaviour; no differences means agreement."""

    name: str
    differences: tuple[str, ...] = ()
    skipped: str = ""  # why it could not be replayed


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay works with; `pace` is how many recorded seconds pass in a real one."""

    cluster: Cluster
    root: Path
    pace: float = 1.0

    @property
    def scale(self) -> float:
        """How many seconds of the cluster pass in a real one."""
        return float(self.cluster.info.get("time_scale", 1.0))

    @property
    def server(self) -> str:
        """The URL of the API server."""
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        return str(config["clusters"][0]["cluster"]["server"])


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the recordings and how it is replayed."""

    name: str
    replay: Callable[[Replay], Iterator[Case]] = field(compare=False)
    uses: tuple[Path, ...] = ()  # the files that are read
    scale: float = 1.0  # how fast the clock of a cluster of its own should go
    seconds: float = 15.0  # about how long that takes: long ones begin first
