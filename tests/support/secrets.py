"""Secrets of every form that has been seen in logs, as a test plants them."""

from __future__ import annotations

import base64
import json

PLANTED = "hunter2-9f8e7d6c5b4a"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
PEM = base64.b64encode(f"-----BEGIN PRIVATE KEY-----\n{PLANTED * 6}\n".encode()).decode()
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
    "flow yaml": f"kind: Secret\ndata: {{a: {ENCODED}, b: {PLANTED}}}\n",
    "header as an object": json.dumps({"header": {"key": "x-api-key", "value": PLANTED}}),
    "url with a token alone": f"https://{PLANTED}@example.org/a/b",
    "kubeconfig key over lines": f"  client-key-data: >-\n    {ENCODED}\n    {ENCODED}\n  x: 1\n",
    "env quoted with blanks": f'- name: API_TOKEN\n  value: "a {PLANTED}"\n',
    "env value first": f"- value: {PLANTED}\n  name: DB_PASSWORD\n",
    "env over lines": f"- name: DB_PASSWORD\n  value: |\n    {PLANTED}\n    {PLANTED}\n",
    "bearer in an env": f"- name: HDR\n  value: Bearer {PLANTED}\n",
    "secret key": f"export SECRET_KEY={PLANTED}",
    "go map": f"map[Authorization:[Bearer {PLANTED}] Accept:[*/*]]",
    "pem in a log": "".join(
        f"10:00 [app] {line}\n"
        for line in ("-----BEGIN EC PRIVATE KEY-----", PLANTED, "-----END EC PRIVATE KEY-----")
    ),
    "basic in a query": f"GET /x?authorization=Basic%20{ENCODED}&a=1 HTTP/1.1",
    "aws in an env": f"- name: AWS_SECRET_ACCESS_KEY\n  value: {PLANTED}/a+b\n",
    "aws in describe": f"      AWS_ACCESS_KEY_ID:      {PLANTED}\n",
    "jwt in a cookie of an access log": (
        f'"GET / HTTP/1.1" 200 cookie="theme=dark; session=eyJhbGciOiJI.eyJzdWIiOiJ4.{PLANTED}"'
    ),
    "go header": f'http.Header{{"Cookie":[]string{{"sid={PLANTED}"}}}}',
    "kubectl about a key": f'error: client-key-data: illegal base64 data at input "{ENCODED}"',
    "kubectl about a line": f"error: yaml: line 18: could not find ':' client-key-data {ENCODED}",
    "key in base64 over lines": "tls.key =\n" + "".join(
        f"  {PEM[start : start + 64]}\n" for start in range(0, len(PEM), 64)
    ),
    "key in base64 escaped": json.dumps({"log": f"{PEM[:64]}\n{PEM[64:]}"}),
    "option in a list": f'args: ["serve", "--db-password", "{PLANTED}"]',
    "option in a json list": json.dumps({"args": ["serve", "--token", PLANTED, "--port"]}),
    "option in a yaml list": f"args:\n  - --token\n  - {PLANTED}\n",
    "json list": json.dumps({"tokens": [PLANTED]}),
    "xml": f"<db><password>{PLANTED}</password></db>",
    "hash": f':password=>"{PLANTED}"',
    "curl long user": f"curl --user admin:{PLANTED} http://x",
    "curl user without a blank": f"curl -uadmin:{PLANTED} http://x",
    "curl's cookie": f"curl -b sid={PLANTED} http://x",
    "sshpass": f"sshpass -p {PLANTED} ssh x",
    "mysql": f"mysql -h db -u root -p{PLANTED} shop",
    "netrc": f"machine example.org login me password {PLANTED}",
    "url user with an at": f"postgres://app:a@{PLANTED}@db:5432/x",
    "url in a url": f"GET /login?next=%2Fcb%3Faccess_token%3D{PLANTED}%26x%3D1",
    "storage account": f"AccountName=a;AccountKey={ENCODED};EndpointSuffix=x",
    "slack": f"https://hooks.slack.com/services/T0/B0/{PLANTED.replace('-', '')}",
    "payment key": "sk_live_" + "a1B2" * 9,
    "websocket": f"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.{ENCODED}",
    "envoy key": json.dumps({"private_key": {"inline_bytes": ENCODED}}),
    "envoy key cut off": f'{{"a": [{{"private_key": {{"inline_string": "{PLANTED}"}}}}',
    "bootstrap token": "[bootstrap-token] created the token a1b2a1.a1b2a1b2a1b2a1b2.",
    "bootstrap token by hand": "kubeadm token delete a1b2a1.a1b2a1b2a1b2a1b2",
    "yaml list": f"passwords:\n- {PLANTED}\n- 'a {PLANTED}'\nrest: 1\n",
    "deeper yaml list": f"a:\n  - apiTokens:\n      - {PLANTED}\n      - >-\n        {PLANTED}\n",
    "yaml list in a diff": f" db:\n   passwords:\n-  - {PLANTED}\n+  - {PLANTED}2\n",
    "escaped quotes": f"body={{\\u0022password\\u0022:\\u0022{PLANTED}\\u0022}}",
    "escaped query": f"url=/cb?a=1\\u0026code={PLANTED}\\u0026b=2",
    "escaped value": f"password=\\u0068{PLANTED}",
    "envoy header": json.dumps({"header": {"key": "authorization", "raw_value": ENCODED}}),
}  # fmt: skip
