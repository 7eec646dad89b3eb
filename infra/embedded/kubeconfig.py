"""The kubeconfig of a cluster: one context, a bearer token, mode 0600."""

import base64
from pathlib import Path

import yaml

from infra.embedded.certs import write_private


def write(path: Path, *, name: str, server: str, authority: bytes, token: str) -> None:
    """Write the file; cluster, user and context are all called `embedded-NAME`."""
    entry = f"embedded-{name}"
    cluster = {
        "server": server,
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": entry, "cluster": cluster}],
        "users": [{"name": entry, "user": {"token": token}}],
        "contexts": [{"name": entry, "context": {"cluster": entry, "user": entry}}],
        "current-context": entry,
    }
    write_private(path, yaml.safe_dump(content, sort_keys=False).encode())
