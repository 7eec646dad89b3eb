"""Whom a context acts as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.core.errors import ClusterError
from infra.kube_user import impersonation


def headers(tmp_path: Path, user: dict[str, Any] | None) -> dict[str, str]:
    content = {
        "contexts": [
            {"name": "other", "context": {"user": "admin"}},
            {"name": "dev", "context": {"user": "me"}},
        ],
        "users": [{"name": "admin", "user": {"as": "root"}}, {"name": "me", "user": user}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return dict(impersonation(file, "dev"))


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, {}),
        ({"token": "x"}, {}),
        ({"as": "ann"}, {"Impersonate-User": "ann"}),
        (
            {"as": "ann", "as-uid": "7", "as-groups": ["dev"]},
            {"Impersonate-User": "ann", "Impersonate-Uid": "7", "Impersonate-Group": "dev"},
        ),
    ],
)
def test_the_headers_of_a_user(
    tmp_path: Path, user: dict[str, Any] | None, expected: dict[str, str]
) -> None:
    assert headers(tmp_path, user) == expected


@pytest.mark.parametrize(
    "user", [{"as": "ann", "as-groups": ["a", "b"]}, {"as": "ann", "as-user-extra": {"x": ["y"]}}]
)
def test_what_cannot_be_sent_is_refused(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(ClusterError, match="acts as another user"):
        headers(tmp_path, user)
