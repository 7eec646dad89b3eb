"""What the embedded cluster's process leaves in its folder, and its Envoy's config dump."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from pathlib import Path
from typing import Final

from infra.clusters.embedded_process import LOG_FILE

DUMP: Final = "envoy-config.json"
_LOG: Final = "embedded-cluster.log"
_GATEWAY_LOG: Final = "gateway.log"
_GATEWAY_LOGS: Final = "pods/*/kourier-gateway/*.log"
"""Of its containers: also there when the API server is not."""
_BOOTSTRAP: Final = "gateway/bootstrap.json"
_SECONDS: Final = 5.0
_MOST_BYTES: Final = 32 * 1024 * 1024


def collect(data: Path, folder: Path) -> None:
    """Copy the logs of the cluster in `data` into `folder`, and ask its Envoy what it is doing.

    An Envoy that does not answer leaves no dump; the folder then says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (data / LOG_FILE).is_file():
        shutil.copyfile(data / LOG_FILE, folder / _LOG)
    for log in sorted(data.glob(_GATEWAY_LOGS), key=lambda path: path.stat().st_mtime)[-1:]:
        shutil.copyfile(log, folder / _GATEWAY_LOG)
    try:
        dump = _dump(data / _BOOTSTRAP)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        (folder / "envoy-config.txt").write_text(f"no dump: {error}\n", encoding="utf-8")
        return
    (folder / DUMP).write_bytes(dump)


def _dump(bootstrap: Path) -> bytes:
    admin = json.loads(bootstrap.read_bytes())["admin"]["address"]["pipe"]["path"]
    connection = _Admin(admin)
    try:
        connection.request("GET", "/config_dump?include_eds")
        return connection.getresponse().read(_MOST_BYTES)
    finally:
        connection.close()


class _Admin(http.client.HTTPConnection):
    """HTTP to a socket with an abstract name, which begins with `@`."""

    def __init__(self, name: str) -> None:
        super().__init__("admin", timeout=_SECONDS)
        self._name = name

    def connect(self) -> None:
        """Connect; called by `request`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(f"\0{self._name.removeprefix('@')}")
