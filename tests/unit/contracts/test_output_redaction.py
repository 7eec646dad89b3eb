"""Secrets are masked before text is kept; other text stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.redact import MASK, redact

SECRET = "s3cr3t-value-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}",
        f"token: {SECRET}",
        f'"token": "{SECRET}"',
        f"--token={SECRET}",
        f"password={SECRET}",
        f"API_KEY: {SECRET}",
        f"client-key-data: {SECRET}",
        f"https://user:{SECRET}@host/",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
        f"apiVersion: v1\ndata:\n  any: {SECRET}\nkind: Secret\nmetadata:\n  name: x\n",
        f"+        - name: DB_PASSWORD\n+          value: {SECRET}\n",
        f"-        - name: DB_PASSWORD\n-          value: {SECRET}\n",
        f"         - name: DB_PASSWORD\n-          value: old\n+          value: {SECRET}\n",
        f"         - name: DB_PASSWORD\n-          value: 'old'\n+          value: '{SECRET} x'\n",
        f"+        - value: {SECRET}\n+          name: DB_PASSWORD\n",
        f"+kind: Secret\n+stringData:\n+  any: {SECRET}\n",
        f'{{"kind": "Secret",\n "data": {{\n   "any": "{SECRET}"\n }}}}',
    ],
)
def test_masked(text: str) -> None:
    assert SECRET not in redact(text)
    assert MASK in redact(text)


def test_well_known_tokens_are_masked_wherever_they_stand() -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    github = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    assert redact(f"x {jwt} y {github} z") == f"x {MASK} y {MASK} z"


@pytest.mark.parametrize(
    "text",
    [
        "kind: Service\nmetadata:\n  name: hello\ndata:\n  a: b\n",
        "secretName: tls\nsecret:\n  optional: true\n",
        "service.serving.knative.dev/hello configured",
        "Warning: tokens are fine",
        "image: ghcr.io/a/b@sha256:0123",
        "+        - name: TARGET\n+          value: World\n         - name: OTHER\n",
        "         - name: TARGET\n-          value: World\n+          value: Moon\n",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)
