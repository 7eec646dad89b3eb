"""Where probes keep their files."""

from __future__ import annotations

from typing import Protocol

from harness.core.observation import Artefact


class SampleStore(Protocol):
    """Adds files to a run's folder; a name is used once."""

    def artefact(self, name: str, content: bytes, *, compress: bool = False) -> Artefact: ...
