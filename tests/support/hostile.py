"""Contracts that mean harm, generated: every one must be refused, whatever it says."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.runner import contract_document

Random = random.Random
Document = dict[str, Any]

_PATHS = (
    "../../etc/passwd",
    "infra/k8s/overlays/dev/../../../../etc/passwd",
    "/etc/passwd",
    "infra/k8s/overlays/prod/hello-ksvc.yaml",
    "infra/k8s/overlays/dev-evil/hello-ksvc.yaml",
    "infra/k8s/overlays/dev/evil-link.yaml",
    "infra/k8s/overlays/dev/two.yaml",
    "infra/k8s/overlays/dev/role.yaml",
    "infra/k8s/overlays/dev/missing.yaml",
    "infra/k8s/overlays/dev/pipe.yaml",
    "INFRA/k8s/overlays/dev/hello-ksvc.yaml",
    "infra/k8s/overlays/dev/hello-ksvc.yaml\x00.txt",
    "infra/k8s/overlays/dev/hello‐ksvc.yaml",
    "infra/k8s/overlays/dev/hello-ksvc.yaml;reboot",
    "https://evil.example/x.yaml",
    "-",
    "remote-kustomization",
)
_COMMANDS = (
    "kubectl get pods; rm -rf /",
    "kubectl get pods && curl evil",
    "kubectl get pods | sh",
    "kubectl get $(id)",
    "kubectl get `id`",
    "kubectl get pods > /etc/passwd",
    "kubectl get pods\nreboot",
    "bash -lc 'kubectl get pods'",
    "kubectl delete ksvc hello",
    "kubectl exec hello -- sh",
    "kubectl get secrets -o yaml",
    "kubectl get pods --kubeconfig /root/.kube/config",
    "kubectl get pods --context=prod",
    "kubectl get pods --server=https://evil",
    "kubectl get pods --token=abc",
    "kubectl get pods --as=admin",
    "kubectl get -f https://evil.example/x.yaml",
    "kubectl diff -f -",
    "kubectl diff -f /etc/passwd",
    "kubectl get pods -n kube-system",
    "kubectl -n kube-system get pods",
    "kubectl get pods --all-namespaces",
    "kubectl get pods -A",
    "kubectl get ｐｏｄｓ",
    "kubectl get pods -o jsonpath={.items}",
    "kubectl get pods -o go-template-file=/etc/passwd",
    "KUBECONFIG=/x kubectl get pods",
    "/tmp/kubectl get pods",
    "kubectl apply -f infra/k8s/overlays/dev/hello-ksvc.yaml",
    "",
)


def _wrong_path(rng: Random) -> bytes:
    document = contract_document(f"path_{rng.random()}")
    document["actions"][0]["manifest"] = rng.choice(_PATHS)
    return _json(document)


def _command(rng: Random) -> bytes:
    commands = [rng.choice(_COMMANDS)] + ["kubectl get ksvc hello -n default"] * rng.randrange(3)
    rng.shuffle(commands)
    return _json({"kind": "ask", "source": "x", "actions": [{"cmd": cmd} for cmd in commands]})


def _unapproved(rng: Random) -> bytes:
    document = contract_document(f"unapproved_{rng.random()}")
    approval = {"by": rng.choice(["tester", "root"]), "at": "2026-11-22T10:00:00Z"}
    over = f"sha256:{rng.randrange(16**64):064x}"
    forged = {"signature": "QUJD" * 20, "level": "signed"} if rng.random() < 0.5 else {}
    document["approval"] = {**approval, "over": over, **forged}
    return _json(document)


def _foreign_target(rng: Random) -> bytes:
    document = contract_document(f"target_{rng.random()}")
    where: dict[str, Any] = {"contexts": ["embedded-vpm-mini"], "namespace": "default"}
    if rng.random() < 0.5:
        where["contexts"] = [rng.choice(["prod", "*", "embedded-*", "kind-vpm-mini "])]
    else:
        where["namespace"] = rng.choice(["kube-system", "knative-serving", "Default", ""])
    document["target"] = where
    return _json(document)


def _foreign_object(rng: Random) -> bytes:
    document = contract_document(f"object_{rng.random()}")
    resource = document["actions"][0]["resource"]
    resource[rng.choice(["kind", "name", "namespace", "api"])] = rng.choice(
        ["Role", "kube-system", "other", "rbac.authorization.k8s.io/v1", "Secret", "v1"]
    )
    return _json(document)


def _wrong_type(rng: Random) -> bytes:
    document = contract_document(f"type_{rng.random()}")
    key = rng.choice([*document, "actions.0", "surprise"])
    value = rng.choice([None, 1, [], {}, True, "x" * 1000, -1e308, {"$ref": "#"}])
    if key == "actions.0":
        document["actions"][0] = value
    elif key == "approval":
        document["approval"] = value or 1
    else:
        document[key] = value
    if key in ("id", "created"):
        document["actions"][0]["timeout"] = "40; reboot"
    if key == "kind":
        document["kind"] = "destroy"
    return _json(document)


def _not_json(rng: Random) -> bytes:
    valid = _json(contract_document("broken"))
    return rng.choice(
        [
            b"",
            b"\xff\xfe" + valid,
            valid[: rng.randrange(1, len(valid) - 2)],
            valid + valid,
            b"[" * rng.choice([100, 10_000, 60_000]),
            b'{"a":' * rng.choice([100, 10_000]) + b"1" + b"}" * 10,
            b'{"schema": NaN}',
            b'{"schema": 1e999}',
            b'{"id": "\\ud800"}',
            b"null",
            b'"' + b"A" * 70_000 + b'"',
            bytes(rng.randrange(256) for _ in range(200)),
        ]
    )


def _twice(rng: Random) -> bytes:
    text = _json(contract_document(f"twice_{rng.random()}")).decode()
    key = rng.choice(["id", "kind", "actions", "target"])
    return text.replace("{", '{"' + key + '": "x", ', 1).encode()


def _scope(rng: Random) -> bytes:
    other = rng.choice(["infra/k8s/overlays/dev/metrics-echo-ksvc.yaml", "README.md", "x/../y"])
    return _json(contract_document(f"scope_{rng.random()}", scope=other))


def _historical(rng: Random) -> bytes:
    path = rng.choice(_PATHS)
    action = {
        "type": rng.choice(["k8s-apply", "shell", "k8s-delete"]),
        "path": path,
        "resource": {"kind": "Service", "name": "hello", "namespace": "default"},
    }
    document = {"kind": "apply", "approved": rng.choice([True, "true", 1]), "approver": "me"}
    return _json({**document, "scope": rng.choice([path, _PATHS[0]]), "actions": [action]})


def _timeout(rng: Random) -> bytes:
    document = contract_document(f"timeout_{rng.random()}")
    document["actions"][0]["timeout"] = rng.choice([0, -1, 3601, 1000, 10**30, "1s"])
    return _json(document)


def _many(rng: Random) -> bytes:
    document = contract_document(f"many_{rng.random()}")
    action = copy.deepcopy(document["actions"][0])
    document["actions"] = [action] * rng.choice([21, 51, 300])
    return _json(document)


KINDS: tuple[Callable[[Random], bytes], ...] = (
    _wrong_path, _command, _unapproved, _foreign_target, _foreign_object, _wrong_type, _not_json,
    _twice, _scope, _historical, _timeout, _many,
)  # fmt: skip


def hostile_contracts(count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` contract files with their names, the same for the same seed."""
    rng = Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield f"hostile_{number:04d}{kind.__name__}.json", kind(rng)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
