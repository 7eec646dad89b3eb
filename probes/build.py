"""Builds the probe engine into one zipapp file, the same bytes each time."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path

_SOURCE = Path(__file__).parent / "agent"
_ENTRY = b"""import sys

from agent.__main__ import main

sys.exit(main(sys.argv[1:]))
"""
# The earliest time that a zip file can hold: no clock may change the bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def agent_bytes() -> bytes:
    """The zipapp; the same sources give the same bytes, so its digest identifies the engine.

    It is stored without compression: zlib's output differs between its versions.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("__main__.py"), _ENTRY)
        for path in sorted(_SOURCE.glob("*.py")):
            archive.writestr(_entry(f"agent/{path.name}"), path.read_bytes())
    return buffer.getvalue()


def build_agent(path: Path) -> str:
    """Write the zipapp to `path`, unless it is there already; returns its SHA-256 in hexadecimal.

    The file appears complete or not at all, so several processes may build it at the same time.
    """
    content = agent_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
        return digest
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        written = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            written.chmod(0o644)
            written.replace(path)
        except BaseException:
            written.unlink()
            raise
    return digest


def cached_agent() -> Path:
    """The zipapp in the user's cache folder, built if it is not there; its name has its digest."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(agent_bytes()).hexdigest()
    path = base / "vpm-harness" / f"agent-{digest[:16]}.pyz"
    build_agent(path)
    return path


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info
