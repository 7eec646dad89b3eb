"""What Knative's webhook refuses in a pod's spec, beyond what a recording shows."""

from __future__ import annotations

from typing import Any

import pytest

from infra.embedded.admission.knative.defaults import Defaults
from infra.embedded.admission.knative.problems import report
from infra.embedded.admission.knative.revision import check_revision_spec

CONTAINER = "spec.containers[0].securityContext"


def problems(pod: dict[str, Any], **context: Any) -> str:
    container = {"name": "c", "image": "i", "securityContext": context}
    found = check_revision_spec({"containers": [container], **pod}, "spec", Defaults())
    return report(problem for problem in found if not problem.warning)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"runAsUser": 2020, "runAsGroup": 0, "privileged": False}, ""),
        ({"runAsUser": -10}, f"expected 0 <= -10 <= 2147483647: {CONTAINER}.runAsUser"),
        ({"runAsGroup": 2**31}, f"expected 0 <= 2147483648 <= 2147483647: {CONTAINER}.runAsGroup"),
        ({"privileged": True}, f"must not set the field(s): {CONTAINER}.privileged"),
    ],
)
def test_security_contexts(context: dict[str, Any], message: str) -> None:
    assert problems({}, **context) == message


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ("builder.of-images", ""),
        ("foo@bar.baz", "invalid value: serviceAccountName: spec.foo@bar.baz"),
        ("x" * 254, f"invalid value: serviceAccountName: spec.{'x' * 254}"),
    ],
)
def test_service_accounts(account: str, message: str) -> None:
    """The path and the value have changed places upstream, and its tests ask for it so."""
    assert problems({"serviceAccountName": account}) == message
