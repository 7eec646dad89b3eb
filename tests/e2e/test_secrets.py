"""A whole run that fails, with a secret of every form planted along its way: none is kept."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness.core.judge import judge_ended
from harness.core.plan import make_plan
from harness.core.verdict import Verdict
from harness.run.journal import JOURNAL, read_record
from tests.support.kept import take_down
from tests.support.runs import ROOT, environment, run_folders
from tests.support.secrets import ENCODED, FORMS, PLANTED

NAME = "leaky"
APP = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

print(open("/planted/log", encoding="utf-8").read(), flush=True)

class Leaky(BaseHTTPRequestHandler):
    def do_GET(self):
        for name, value in self.headers.items():
            print(f"{name}: {value}", flush=True)
        body = os.environ["DB_PASSWORD"].join(["token=", "\\n"]).encode()
        self.send_response(500)
        self.send_header("Set-Cookie", "sid=" + os.environ["SESSION_ID"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Leaky).serve_forever()
"""
SHOWN = "REDACTED"


def planted(place: str) -> str:
    """A secret of a place of its own, so that a leak says where it came from."""
    number = sum(map(ord, place)) * len(place)
    return f"{PLANTED.partition('-')[0]}{number:06d}c0ffee{len(place):02d}"


IN_LOGS = {
    form: text.replace(PLANTED.replace("-", "_"), planted(form))
    .replace(PLANTED, planted(form))
    .replace(ENCODED, base64.b64encode(planted(form).encode()).decode())
    for form, text in FORMS.items()
    if PLANTED in text or ENCODED in text or PLANTED.replace("-", "_") in text
}
PLACES = (
    "secret data", "env", "env bearer", "env session", "annotation", "request header",
    "request cookie", "request query", "url of the scenario", "contract", "kubeconfig in an env",
)  # fmt: skip


def manifest() -> dict[str, object]:
    """The KService: secrets in its environment, its annotations and what it logs."""
    kubeconfig = {"users": [{"name": "dev", "user": {"token": planted("kubeconfig in an env")}}]}
    env = {
        "DB_PASSWORD": planted("env"),
        "HDR": f"Bearer {planted('env bearer')}",
        "SESSION_ID": planted("env session"),
        "CONFIG": yaml.safe_dump(kubeconfig),
    }
    container = {
        "image": "python:3",
        "args": ["-c", APP],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "volumeMounts": [{"name": "planted", "mountPath": "/planted"}],
    }
    volume = {"name": "planted", "secret": {"secretName": "planted"}}
    annotations = {"example.com/hook": f"https://bot:{planted('annotation')}@hooks.example/x"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": "default", "annotations": annotations},
        "spec": {"template": {"spec": {"containers": [container], "volumes": [volume]}}},
    }


SCENARIO = {
    "apiVersion": "vpm.dev/v1",
    "kind": "Scenario",
    "name": NAME,
    "description": f"see https://admin:{planted('url of the scenario')}@wiki.example/page",
    "cluster": {"name": "vpm-leaky"},
    "services": {NAME: {"manifest": "leaky.yaml"}},
    "steps": [
        {"name": "apply", "apply": {"service": NAME}},
        {"name": "ready", "needs": ["apply"], "ready": {"service": NAME}},
        {"name": "ask", "contract": {"file": "ask.json", "mode": "exec"}},
        {
            "name": "probe",
            "needs": ["ready"],
            "probe": {
                "service": NAME,
                "vantages": ["in-cluster", "devbox"],
                "requests": 3,
                "path": f"/?access_token={planted('request query')}",
                "headers": {
                    "Authorization": f"Bearer {planted('request header')}",
                    "Cookie": f"sid={planted('request cookie')}",
                },
                "body": {"contains": "nothing of the kind"},
            },
        },
        {"name": "keep", "evidence": {"service": NAME, "claim": "sli", "copy": "leaky/sli"}},
        {"name": "keep ready", "evidence": {"service": NAME, "claim": "ready", "copy": "leaky/r"}},
    ],
}  # fmt: skip
KSERVICE = {"api": "serving.knative.dev/v1", "kind": "Service", "name": NAME}
PODS = {"api": "v1", "kind": "Pod"}
ASK = {
    "schema": "vpm.contract/v1",
    "id": "ask_leaky",
    "kind": "ask",
    "source": "a test",
    "created": "2026-11-22T00:00:00Z",
    "note": f"password: {planted('contract')}",
    "target": {"contexts": ["embedded-vpm-leaky*"], "namespace": "default"},
    "actions": [
        {"verb": "get", "resource": KSERVICE, "output": "yaml"},
        {"verb": "get", "resource": PODS, "output": "json"},
        {"verb": "describe", "resource": KSERVICE},
        {
            "verb": "logs",
            "resource": PODS,
            "selector": f"serving.knative.dev/service={NAME}",
            "container": "user-container",
            "tail": 500,
        },
    ],
}


@dataclass(frozen=True, slots=True)
class Leaky:
    """A run that failed, what it printed, everything that it left, and the cluster's own
    credentials."""

    verdict: Verdict
    printed: str
    files: Mapping[str, bytes]
    credentials: tuple[str, ...]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Leaky:
    repo, home = tmp_path_factory.mktemp("repo"), tmp_path_factory.mktemp("home")
    _write_repository(repo)
    vpm = _Vpm(repo, home)
    vpm("cluster", "up", "vpm-leaky", "--cluster=embedded")
    try:
        kubeconfig = vpm("cluster", "kubeconfig", "vpm-leaky").stdout.strip()
        _plant(kubeconfig)
        vpm.pytest("scenarios", "--vpm-cluster=embedded", "--junitxml=reports/junit.xml")
        vpm("evidence", "site")
        vpm("evidence", "summary", "reports")
        vpm("evidence", "verify", "reports")
        credentials = _credentials(Path(kubeconfig))
    finally:
        take_down("vpm-leaky", vpm.said)
    folders = run_folders(repo / "reports")
    assert len(folders) == 1, vpm.printed
    record = read_record(folders[0] / JOURNAL)
    plan = make_plan(record.opened.plan, record.opened.source)
    verdict = {step.step: step.verdict for step in judge_ended(plan, record).steps}["probe"]
    files = [path for path in (repo / "reports").rglob("*") if path.is_file()]
    contents = {path.relative_to(repo).as_posix(): path.read_bytes() for path in files}
    return Leaky(verdict, vpm.printed, contents, credentials)


def _credentials(kubeconfig: Path) -> tuple[str, ...]:
    users = yaml.safe_load(kubeconfig.read_text())["users"]
    secret = ("token", "client-key-data", "password")
    return tuple(text for user in users for key, text in user["user"].items() if key in secret)


class _Vpm:
    """The product in a repository and a home of the test; `printed` is all it said."""

    def __init__(self, repo: Path, home: Path) -> None:
        self._repo, self._home = repo, home
        self.printed = ""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("harness.cli.main", *arguments)

    def said(self, *arguments: str) -> tuple[int, str]:
        """How it ended, and what it said."""
        done = self(*arguments)
        return done.returncode, done.stdout + done.stderr

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "-v", "-ra")
        return self._run("pytest", *plain, *arguments)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self._repo,
            env={
                **environment(self._home),
                "PYTHONPATH": str(ROOT),
                "GITHUB_STEP_SUMMARY": str(self._repo / "reports" / "summary.md"),
                "VPM_OPENMETRICS": str(self._repo / "reports" / "metrics.txt"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        self.printed += done.stdout + done.stderr
        return done


def _write_repository(repo: Path) -> None:
    scenario = repo / "scenarios" / NAME
    scenario.mkdir(parents=True)
    (repo / "reports").mkdir()
    (repo / "codex" / "inbox").mkdir(parents=True)
    shutil.copy(ROOT / "codex" / "policy.yaml", repo / "codex")
    (repo / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (repo / "leaky.yaml").write_text(yaml.safe_dump(manifest()))
    (scenario / "scenario.yaml").write_text(yaml.safe_dump(SCENARIO))
    (scenario / "ask.json").write_text(json.dumps(ASK))


def _plant(kubeconfig: str) -> None:
    log = "\n".join(["start", *IN_LOGS.values(), "end"])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "planted", "namespace": "default"},
        "stringData": {"log": log, "password": planted("secret data")},
    }
    subprocess.run(
        [Path(sys.executable).with_name("kubectl"), "--kubeconfig", kubeconfig, "create", "-f-"],
        input=json.dumps(secret).encode(),
        check=True,
        capture_output=True,
    )


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """A file and, where it is compressed, what it holds."""
    yield name, content
    if name.endswith(".gz"):
        yield f"{name} (unpacked)", gzip.decompress(content)


def forms_of(secret: str) -> Iterator[str]:
    """A secret as it may stand in bytes: plain, or in base64 at any of its three offsets."""
    yield secret
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + secret.encode()).decode()
        yield encoded[4 if before else 0 : -4]


def test_a_run_that_goes_wrong_leaves_a_whole_bundle(leaky: Leaky) -> None:
    assert leaky.verdict is Verdict.INCONCLUSIVE, leaky.printed
    bundle = {name for name in leaky.files if "/diagnostics/" in name}
    for wanted in (
        "describe.txt", "events.txt", "service.yaml", "parts.yaml", "envoy-routes.json",
        "dns.txt", "index.txt", "gateway.log", "embedded-cluster.log",
    ):  # fmt: skip
        assert any(name.endswith(f"/{wanted}") for name in bundle), wanted
    for pod in ("user-container", "kourier-gateway", "activator", "controller"):
        assert any(re.search(rf"/logs/.*\.{pod}\.txt$", name) for name in bundle), pod


@pytest.mark.parametrize("place", [*sorted(IN_LOGS), *PLACES])
def test_no_secret_is_kept_or_printed(leaky: Leaky, place: str) -> None:
    found = [
        f"{name}: {form}"
        for path, whole in leaky.files.items()
        for name, content in unpacked(path, whole)
        for form in forms_of(planted(place))
        if form.encode() in content
    ]
    assert found == []
    assert [form for form in forms_of(planted(place)) if form in leaky.printed] == []


def test_the_clusters_own_credentials_are_not_kept(leaky: Leaky) -> None:
    assert leaky.credentials
    for path, whole in leaky.files.items():
        for name, content in unpacked(path, whole):
            assert not [one for one in leaky.credentials if one.encode() in content], name


@pytest.mark.parametrize(
    "part", ["user-container.txt", "service.yaml", "parts.yaml", "describe.txt", "run.log"]
)
def test_what_was_masked_is_seen_to_be(leaky: Leaky, part: str) -> None:
    texts = [text.decode() for name, text in leaky.files.items() if name.endswith(part)]
    assert any(SHOWN in text for text in texts), [name for name in leaky.files if part in name]
