"""No secret of any form survives, and what is no secret does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.redact import MASK, redact, redact_bytes
from tests.support.secrets import ENCODED, FORMS, PEM, PLANTED


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_survives(form: str) -> None:
    text = redact(f"before\n{FORMS[form]}\nafter\n")
    assert PLANTED not in text
    assert PLANTED.replace("-", "_") not in text
    assert ENCODED not in text
    assert "a1b2a1b2" not in text.lower()
    assert not any(PEM[start : start + 30] in text for start in range(40, len(PEM) - 30))
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
        'args: ["--port", "80", "--user-agent", "curl"]',
        'resources: ["secrets", "serviceaccounts/token"]',
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM=",
        "<title>password reset</title>",
        "task-runner-with-a-long-name-of-its-own and npm_config_globalconfig_of_the_user_himself",
        "python -u app.py",
        "the token server is abcdef.0123456789abcdef.svc.cluster.local",
        "kubeadm 1.33.13 from registry.k8s.io/abcdef.0123456789abcdef/kubeadm@sha256:0e1f82619612",
        "tokens:\n- name: build\n  namespace: dev\nports:\n- 80\n",
        "passwords:\nusers:\n- dev\n",
        "secrets:\n- db\nimagePullSecrets:\n- name: registry\n",
        "serviceAccountToken:\n  path: token\n",
        "https://bücher.example/a\\u0026b=2 says \\u0022hello\\u0022",
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


PIECES = st.sampled_from(
    [*FORMS.values(), '"', "\\", "\n", "token: ", "password=", "Authorization: ", "kind: Secret\n",
     "data:\n", "  a: b\n", "'", "{", "}", "-----BEGIN PRIVATE KEY-----", "?token=", "cookie: "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=3).map("".join))
def test_json_stays_json_whatever_stands_in_it(text: str, other: str) -> None:
    for value in ({"a": text, "b": [other, 1]}, {"nested": json.dumps({"log": text})}):
        for indent in (None, 1):
            found = json.loads(redact(json.dumps(value, indent=indent)))
            assert isinstance(found, dict)


def test_lines_of_json_stay_lines_of_json() -> None:
    lines = [json.dumps({"outcome": "ok", "headers": {"set-cookie": f"s={PLANTED}"}})] * 3
    found = redact("".join(f"{line}\n" for line in lines))
    assert [json.loads(line)["outcome"] for line in found.splitlines()] == ["ok"] * 3
    assert PLANTED not in found


@pytest.mark.parametrize("depth", [10, 900, 100_000])
def test_depth_does_not_stop_it(depth: int) -> None:
    text = "[" * depth + f'"token={PLANTED}"' + "]" * depth
    assert PLANTED not in redact(text)


def test_shape_and_numbers_of_masked_json_stay() -> None:
    value = {"credentials": {"user": "dev", "tries": 3, "keys": ["a", "b"]}, "kind": "Config"}
    masked = json.loads(redact(json.dumps(value)))
    assert masked["credentials"] == {"user": MASK, "tries": 3, "keys": [MASK, MASK]}
    assert masked["kind"] == "Config"
