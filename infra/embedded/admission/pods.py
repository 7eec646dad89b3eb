"""What the admission plugins of pods add: account, token volume, tolerations.  Pure."""

from infra.embedded.store import Obj, generate_name

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def admitted_spec(spec: Obj) -> Obj:
    """A pod's spec as the admission plugins leave it: account, token volume, tolerations."""
    account = spec.get("serviceAccountName") or "default"
    volume = generate_name("kube-api-access-")
    mount = {"mountPath": _TOKEN_PATH, "name": volume, "readOnly": True}
    admitted = {
        **spec,
        "serviceAccount": account,
        "serviceAccountName": account,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "tolerations": [*(spec.get("tolerations") or ()), *_tolerations()],
    }
    if spec.get("automountServiceAccountToken") is False or _mounts_token(spec):
        return admitted
    admitted["volumes"] = [*(spec.get("volumes") or ()), _token_volume(volume)]
    for group in ("containers", "initContainers"):
        if spec.get(group):
            admitted[group] = [_mounted(container, mount) for container in spec[group]]
    return admitted


def _mounts_token(spec: Obj) -> bool:
    """Whether every container has something there already."""
    return all(
        any(m.get("mountPath") == _TOKEN_PATH for m in container.get("volumeMounts") or ())
        for container in spec.get("containers") or ()
    )


def _mounted(container: Obj, mount: Obj) -> Obj:
    mounts = container.get("volumeMounts") or ()
    if any(m.get("mountPath") == mount["mountPath"] for m in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, mount]}


def _tolerations() -> list[Obj]:
    return [
        {
            "effect": "NoExecute",
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "tolerationSeconds": 300,
        }
        for state in ("not-ready", "unreachable")
    ]


def _token_volume(name: str) -> Obj:
    namespace = {"fieldPath": "metadata.namespace", "apiVersion": "v1"}
    return {
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {
                    "configMap": {
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        "name": "kube-root-ca.crt",
                    }
                },
                {"downwardAPI": {"items": [{"fieldRef": namespace, "path": "namespace"}]}},
            ],
        },
    }
