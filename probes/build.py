"""Builds the probe engine into one zipapp file, the same bytes each time."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import py_compile
import sys
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
    return _archive(_sources())


def build_agent(path: Path) -> str:
    """Write the zipapp to `path`, unless it is there already; returns its SHA-256 in hexadecimal.

    The file appears complete or not at all, so several processes may build it at the same time.
    """
    return _write(path, agent_bytes())


@functools.cache
def cached_agent() -> Path:
    """The zipapp in the user's cache folder, built if it is not there; its name has its digest.

    Beside the sources it holds what this interpreter compiles them to, which halves the time to
    start; any other interpreter takes the sources, which are the same.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(agent_bytes()).hexdigest()
    path = base / "vpm-harness" / f"agent-{digest[:16]}-{sys.implementation.cache_tag}.pyz"
    sources = _sources()
    _write(path, _archive({**sources, **_compiled(sources)}))
    return path


def _sources() -> dict[str, bytes]:
    modules = {f"agent/{path.name}": path.read_bytes() for path in sorted(_SOURCE.glob("*.py"))}
    return {"__main__.py": _ENTRY, **modules}


def _compiled(sources: dict[str, bytes]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.py"), Path(folder, "target.pyc")
        compiled = {}
        for name, content in sources.items():
            source.write_bytes(content)
            py_compile.compile(
                str(source),
                cfile=str(target),
                dfile=name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            compiled[f"{name}c"] = target.read_bytes()
        return compiled


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> str:
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
