"""A repository with a policy, manifests and contracts, and a runner on a stand-in cluster."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from harness.contracts.approval import Subject, sign
from harness.contracts.model import Approval, Contract, digest, dump, validate
from harness.core.identity import ClusterIdentity
from harness.ports import CommandResult
from harness.runner.approvals import FileApprovals
from harness.runner.runner import Runner
from harness.runner.settings import RunnerSettings
from harness.timing.clock import SystemClock
from tests.support import kubectl_standin
from tests.support.kubectl_standin import UID, Standin, new_state

OVERLAY = "infra/k8s/overlays/dev"
HELLO = f"{OVERLAY}/hello-ksvc.yaml"
CONTEXT = "embedded-vpm-mini"
AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PROGRAM = Path(kubectl_standin.__file__)
KEY = Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def manifest(name: str = "hello", *, target: str = "World", namespace: str = "default") -> str:
    """A KService as a person writes it."""
    env = {"name": "TARGET", "value": target}
    return yaml.safe_dump(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {"spec": {"containers": [{"image": "i", "env": [env]}]}}},
        }
    )


def policy_document(**changes: Any) -> dict[str, Any]:
    """A policy as in the repository, with the tests' own signer."""
    document: dict[str, Any] = {
        "schema": "vpm.policy/v1",
        "kinds": ["ask", "check", "apply", "noop", "update_north_star", "persist_report_mvp"],
        "verbs": ["get", "describe", "wait", "logs", "diff", "apply"],
        "contexts": ["embedded-*", "kind-vpm-mini"],
        "namespaces": ["default"],
        "overlays": [OVERLAY],
        "may_read": ["serving.knative.dev/v1/Service", "v1/Pod"],
        "may_apply": ["serving.knative.dev/v1/Service"],
        "approvals": {"signers": [{"name": "tester", "key": PUBLIC}], "recorded_on": ["embedded"]},
        "ask": {"may_propose": ["OWNER", "MEMBER"], "approvers": ["boss"]},
        "historical": {"contexts": [CONTEXT, "kind-vpm-mini"]},
    }
    return {**document, **changes}


def contract_document(id: str = "apply_hello", **changes: Any) -> dict[str, Any]:
    """An apply contract for hello, as JSON."""
    resource = {
        "api": "serving.knative.dev/v1",
        "kind": "Service",
        "name": "hello",
        "namespace": "default",
    }
    document: dict[str, Any] = {
        "schema": "vpm.contract/v1",
        "id": id,
        "kind": "apply",
        "created": AT.isoformat(),
        "target": {"contexts": [CONTEXT], "namespace": "default"},
        "actions": [{"verb": "apply", "manifest": HELLO, "resource": resource, "timeout": 20}],
    }
    return {**document, **changes}


def identity(**changes: Any) -> ClusterIdentity:
    """The cluster that the stand-in plays."""
    values: dict[str, Any] = {
        "provider": "embedded",
        "name": "vpm-mini",
        "context": CONTEXT,
        "uid": UID,
        "server_version": "v1.33.0",
        "knative_version": "1.18.2",
    }
    return ClusterIdentity(**{**values, **changes})


@dataclass
class FakeKubectl:
    """The stand-in behind the port `Kubectl`, in memory."""

    standin: Standin = field(default_factory=lambda: Standin(new_state()))

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        if self.standin.state.get("hang") == args[0]:
            return CommandResult(("kubectl", *args), None, "", "", timeout)
        started = time.perf_counter()
        code, stdout, stderr = self.standin.answer(args, stdin or b"")
        seconds = time.perf_counter() - started
        return CommandResult(("kubectl", *args), code, stdout, stderr, seconds)

    @property
    def state(self) -> dict[str, Any]:
        return self.standin.state

    @property
    def verbs(self) -> list[str]:
        """The verbs of all calls; a server-side dry run of apply is `dry-run`."""
        calls = self.standin.state["calls"]
        return ["dry-run" if "--dry-run=server" in call else call[0] for call in calls]


@dataclass
class Desk:
    """A repository in a temporary folder, with what a test needs at hand."""

    repo: Path
    kubectl: FakeKubectl = field(default_factory=FakeKubectl)

    @property
    def settings(self) -> RunnerSettings:
        return RunnerSettings.of_repository(self.repo)

    def runner(self, **changes: Any) -> Runner:
        """A runner with the usual parts."""
        parts: dict[str, Any] = {
            "settings": self.settings,
            "kubectl": self.kubectl,
            "client": None,
            "cluster": identity(),
            "clock": SystemClock(),
            "approvals": FileApprovals(self.settings.approvals),
        }
        return Runner(**{**parts, **changes})

    def signature(self, contract: Contract, *, over: str | None = None) -> Approval:
        """The tester's signed approval of what the contract applies now."""
        content = (self.repo / contract.manifests[0].manifest).read_bytes()
        subject = Subject(over=over or digest(content), target=str(contract.target))
        return sign(by="tester", at=AT, subject=subject, pem=PEM)

    def contract(self, id: str = "apply_hello", *, signed: bool = True, **changes: Any) -> Path:
        """A contract file beside the inbox, signed by the tester unless told otherwise."""
        contract = validate(contract_document(id, **changes))
        if signed:
            contract = contract.model_copy(update={"approval": self.signature(contract)})
        return self.file(f"{id}.json", dump(contract))

    def file(self, name: str, content: bytes) -> Path:
        """A file in the repository, outside the inbox."""
        path = self.repo / "given" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def in_inbox(self, path: Path) -> Path:
        """A copy of a file in the inbox."""
        copied = self.settings.inbox / path.name
        copied.write_bytes(path.read_bytes())
        return copied

    def filed(self, folder: str) -> list[str]:
        """The names in one of the inbox's folders."""
        return sorted(path.name for path in (self.settings.inbox / folder).glob("*.json"))


def make_desk(repo: Path, **policy: Any) -> Desk:
    """A repository with a policy, two manifests and an inbox."""
    overlay = repo / OVERLAY
    overlay.mkdir(parents=True)
    (repo / "codex" / "inbox").mkdir(parents=True)
    (repo / "codex" / "policy.yaml").write_text(yaml.safe_dump(policy_document(**policy)))
    (overlay / "hello-ksvc.yaml").write_text(manifest())
    (overlay / "metrics-echo-ksvc.yaml").write_text(manifest("metrics-echo"))
    return Desk(repo)


def executable(folder: Path) -> Path:
    """A program that answers like kubectl, on the state file that `--kubeconfig` names."""
    path = folder / "kubectl"
    path.write_text(
        "#!/bin/sh\n"
        "# --kubeconfig=STATE comes first\n"
        f'exec {sys.executable} {PROGRAM} "${{1#--kubeconfig=}}" "$@"\n'
    )
    path.chmod(0o755)
    return path
