"""Credentials that a program gives: in time, or told as what is missing."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
import yaml

from harness.core.errors import ClusterError
from infra.kube import KubernetesClient
from infra.kube_login import log_in


def kubeconfig(folder: Path, user: dict[str, object]) -> Path:
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "me"}}],
        "users": [{"name": "me", "user": user}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


def program(*command: str) -> dict[str, object]:
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": command[0], "args": [*command[1:]]}}


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (program("no-such-login"), "no-such-login, gave none: .*No such file"),
        (program("sh", "-c", "echo log in again >&2; exit 7"), "sh, gave none: .*returned 7"),
        (program("echo", "hello"), "echo, gave none: .*decode"),
        ({"exec": {"apiVersion": "v1"}}, "without a name, gave none: "),
        ({"tokenFile": "/absent/token"}, "/absent/token: No such file"),
    ],
)
def test_who_gets_no_credentials_is_told_why(
    tmp_path: Path, user: dict[str, object], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file, handlers = kubeconfig(tmp_path, user), [*logging.getLogger().handlers]
    with pytest.raises(ClusterError, match=words) as caught:
        KubernetesClient(file, "dev").server_version()
    assert "log in" in str(caught.value.mend)
    assert capfd.readouterr().err == ""
    assert logging.getLogger().handlers == handlers


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, program("/opt/cloud/slow-login"))
    enough = Event()
    try:
        with pytest.raises(ClusterError, match="slow-login, did not answer within"):
            log_in(
                lambda: enough.wait(60) and None,
                SimpleNamespace(),
                kubeconfig=file,
                context="dev",
                timeout=0.1,
            )
    finally:
        enough.set()
