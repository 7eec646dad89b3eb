"""Service account tokens: what pods find in their volumes and the API server recognises.

They have the form and the claims of Kubernetes' own (JSON Web Tokens bound to a pod), signed with
a key that is derived from the administrator's token, so that they live as long as the cluster.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

ISSUER = "https://kubernetes.default.svc.cluster.local"
LIFETIME = timedelta(days=365)  # what the API server grants the tokens that it puts into pods
_HEADER = {"alg": "HS256", "typ": "JWT"}
_SUBJECT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account, as its token names it."""

    namespace: str
    name: str
    pod: str  # the name and the UID of the pod whose token it is
    pod_uid: str

    @property
    def user(self) -> str:
        """The name that roles are bound to."""
        return f"{_SUBJECT}{self.namespace}:{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        every = "system:serviceaccounts"
        return (every, f"{every}:{self.namespace}", "system:authenticated")


def mint(secret: str, pod: Mapping[str, Any], now: datetime) -> str:
    """The token of a pod's service account; `secret` is the administrator's token."""
    meta = pod["metadata"]
    name = pod["spec"].get("serviceAccountName") or "default"
    account = Account(meta["namespace"], name, meta["name"], meta["uid"])
    issued = int(now.timestamp())
    claims = {
        "aud": [ISSUER],
        "exp": issued + int(LIFETIME.total_seconds()),
        "iat": issued,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": account.namespace,
            "pod": {"name": account.pod, "uid": account.pod_uid},
            "serviceaccount": {"name": account.name},
        },
        "nbf": issued,
        "sub": account.user,
    }
    signed = f"{_encode(_HEADER)}.{_encode(claims)}"
    return f"{signed}.{_signature(secret, signed)}"


def account_of(token: str, secret: str) -> Account | None:
    """Whose token this is; None for one that was not minted with `secret`."""
    signed, _, signature = token.rpartition(".")
    expected = _signature(secret, signed)
    if not signed or not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    namespace, _, name = claims["sub"].removeprefix(_SUBJECT).partition(":")
    pod = claims["kubernetes.io"]["pod"]
    return Account(namespace, name, pod["name"], pod["uid"])


def _signature(secret: str, text: str) -> str:
    key = hmac.digest(secret.encode(), b"service account tokens", hashlib.sha256)
    return _base64(hmac.digest(key, text.encode("utf-8", "replace"), hashlib.sha256))


def _encode(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
