"""No secret of any form survives, and what is no secret does."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.redact import MASK, redact, redact_bytes

PLANTED = "hunter2-9f8e7d6c5b4a"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
SECRET = {"apiVersion": "v1", "kind": "Secret", "data": {"password": ENCODED, "x": ENCODED}}

FORMS = {
    "authorization header": f"Authorization: Bearer {PLANTED}",
    "basic": f"authorization: Basic {ENCODED}",
    "other scheme": f"Authorization: Custom {PLANTED}",
    "curl header": f"curl -H 'Authorization: Bearer {PLANTED}' http://x",
    "curl user": f"curl -u admin:{PLANTED} http://x",
    "json header": json.dumps({"headers": {"authorization": f"Token {PLANTED}"}}),
    "json header list": json.dumps({"Authorization": [f"Negotiate {PLANTED}"]}),
    "escaped json header": json.dumps({"log": json.dumps({"cookie": f"sid={PLANTED}; a=b"})}),
    "cookie": f"> Cookie: theme=dark; sid={PLANTED}",
    "set-cookie": f"< Set-Cookie: sid={PLANTED}; HttpOnly\r\n< Server: envoy",
    "api key header": f"X-Api-Key: {PLANTED}",
    "url query": f"GET http://h/path?a=1&access_token={PLANTED}&b=2 HTTP/1.1",
    "url signature": f"https://bucket/o?X-Signature={PLANTED}",
    "url user": f"postgres://app:{PLANTED}@db:5432/x",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0." + PLANTED.replace("-", "_"),
    "kubeconfig token": f"users:\n- name: dev\n  user:\n    token: {PLANTED}\n",
    "kubeconfig key": f"    client-key-data: {ENCODED}\n",
    "kubeconfig password": f"    username: dev\n    password: {PLANTED}\n",
    "secret yaml": f"data:\n  tls.key: {ENCODED}\n  note: {ENCODED}\nkind: Secret\n",
    "secret string data": (
        f"kind: Secret\nstringData:\n  config: |\n    a=b\n    {PLANTED}\n  b: {PLANTED}\ntype: T\n"
    ),
    "secret in a list": f"items:\n- data:\n    any: {ENCODED}\n  kind: Secret\nkind: List\n",
    "secret json": json.dumps(SECRET, indent=2),
    "secret in an annotation": json.dumps({"last-applied-configuration": json.dumps(SECRET)}),
    "environment": f"DB_PASSWORD={PLANTED}",
    "describe": f"      API_TOKEN:  {PLANTED}",
    "env yaml": f"env:\n- name: DB_PASSWORD\n  value: {PLANTED}\n",
    "env json": json.dumps({"env": [{"name": "DB_SECRET", "value": PLANTED}]}),
    "option": f"app --db-password {PLANTED} --port 80",
    "option with equals": f"app --token={PLANTED}",
    "quoted with blanks": f'password: "{PLANTED} and more"',
    "docker config": json.dumps({"auths": {"ghcr.io": {"auth": ENCODED}}}),
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----",
    "pem in json": json.dumps({"k": f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n"}),
    "github token": "remote: ghp_" + "a1B2" * 9,
    "aws": "AKIAABCDEFGHIJKLMNOP",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_survives(form: str) -> None:
    text = redact(f"before\n{FORMS[form]}\nafter\n")
    assert PLANTED not in text
    assert PLANTED.replace("-", "_") not in text
    assert ENCODED not in text
    assert "a1B2a1B2" not in text
    assert "AKIAABCDEFGHIJKLMNOP" not in text
    assert text.startswith("before\n")


@pytest.mark.parametrize(
    "form", [name for name in FORMS if "json" in name or name == "docker config"]
)
def test_json_stays_json(form: str) -> None:
    assert json.loads(redact(FORMS[form]))


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\ndata:\n  key: value\n",
        "automountServiceAccountToken: false",
        "READY=True at generation 1, 20/20 ok from in-cluster",
        '{"outcome": "ok", "peer": "127.0.3.1:80", "status": 200}',
        "http://hello.default.127.0.0.1.sslip.io/delay?ms=200",
        "secretKeyRef:\n  name: db",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_names_stay_beside_the_mask() -> None:
    assert redact("password: abc, user: dev") == f"password: {MASK}, user: dev"
    assert redact("https://u:pw@h/x?token=1&b=2") == f"https://u:{MASK}@h/x?token={MASK}&b=2"


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.binary())
def test_bytes_that_are_no_text_stay(content: bytes) -> None:
    found = redact_bytes(b"\xff" + content)
    assert found == b"\xff" + content
