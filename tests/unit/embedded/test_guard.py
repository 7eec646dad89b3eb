"""What recordings may run: kubectl's known verbs, and nothing that a folder brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.embedded.conformance.guard import Guarded, Refused, check, words
from tests.support.cluster import existing


def pod(container: str) -> str:
    return f"kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{container}]}}"


@pytest.mark.parametrize(
    "command",
    [
        "kubectl get ksvc hello -o 'jsonpath={.status.url} {.kind}'",
        "kubectl -n shop --request-timeout 5s get pods",
        "kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:6443 --token=abc get ksvc",
        "kubectl --insecure-skip-tls-verify get ksvc",
        "kubectl get ksvc -s https://127.111.75.9:6443",
        "kubectl apply -f inside.yaml --dry-run=server",
        "kubectl apply -f /nope.yaml",
        "kubectl get -f .",
        "kubectl logs -f hello",
        "kubectl logs -p hello",
        "kubectl exec curl -- curl -sS -i http://hello.default/",
        "kubectl exec -i curl -c main -- curl -s -o /dev/null -w '%{http_code}' http://hello/",
        "kubectl run curl --image=curlimages/curl --command -- sleep 3600",
        """kubectl patch ksvc hello --type=merge -p '{"spec":{"traffic":null}}'""",
        "kubectl patch ksvc hello --type=merge -p '{bad'",
        "kubectl delete --nope",
        "kubectl --help=true",
    ],
)
def test_what_is_run(tmp_path: Path, command: str) -> None:
    (tmp_path / "inside.yaml").write_text("kind: Service")
    check(words(command), "", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "touch /tmp/x",
        "GET /",
        "",
        "kubectl get pods 'torn",
        "kubectl get pods | tee x",
        "kubectl get pods|tee x",
        "kubectl get pods; touch x",
        "kubectl get pods && touch x",
        "kubectl get $(touch x)",
        "kubectl get pods > /etc/x",
        "kubectl apply -f - <<EOF",
        "kubectl config set-credentials x --exec-command=sh",
        "kubectl --as-uid get config set-credentials x --exec-command=sh",
        "kubectl anything-from-the-path",
        "kubectl edit ksvc hello",
        "kubectl create -f inside.yaml --edit",
        "kubectl cp pod:/x /x",
        "kubectl proxy",
        "kubectl --kubeconfig=mine get pods",
        "kubectl --kubeconfig mine get pods",
        "kubectl get pods --kuberc=mine",
        "kubectl get pods -s https://example.org",
        "kubectl get pods --server=https://example.org",
        "kubectl get pods --profile=cpu --profile-output=/etc/x",
        "kubectl cluster-info dump --output-directory=/etc",
        "kubectl apply -k .",
        "kubectl apply -Rf .",
        "kubectl apply -f https://example.org/x.yaml",
        "kubectl apply -f ../outside.yaml",
        "kubectl apply -f inside.yaml,../outside.yaml",
        "kubectl apply --filename=../outside.yaml",
        "kubectl apply -f../outside.yaml",
        "kubectl apply -f link.yaml",
        "kubectl apply -f '*.yaml'",
        "kubectl patch ksvc hello --patch-file inside.yaml",
        "kubectl create configmap x --from-file=/etc/shadow",
        "kubectl exec pod -- sh -c 'touch x'",
        "kubectl exec pod sh",
        "kubectl exec -c curl pod sh",
        "kubectl exec pod -- curl -o /etc/x http://hello/",
        "kubectl exec pod -- curl -w '%output{/etc/x}' http://hello/",
        "kubectl exec pod -- curl -K/x http://hello/",
        "kubectl exec pod -- curl -d @/etc/shadow http://hello/",
        "kubectl run x --image=busybox -- -c 'touch x'",
        "kubectl create job x --image=busybox -- sh -c 'touch x'",
        "kubectl run x --image=busybox --overrides={}",
        """kubectl patch pod p -p '{"spec":{"containers":[{"name":"a","args":["-c","x"]}]}}'""",
        """kubectl patch pod p --patch='{"spec":{"containers":[{"command":["sh"]}]}}'""",
        """kubectl patch ksvc h --type=json -p '[{"op":"add","path":"/spec/command","value":1}]'""",
    ],
)
def test_what_is_refused(tmp_path: Path, command: str) -> None:
    root = tmp_path / "folder"
    root.mkdir()
    (root / "inside.yaml").write_text("kind: Service")
    (tmp_path / "outside.yaml").write_text("kind: Service")
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(Refused):
        check(words(command), "", root)


@pytest.mark.parametrize(
    ("container", "fine"),
    [
        ("{image: dev.local/hello:v1, args: [x], env: [{name: TARGET, value: World}]}", True),
        ("{image: dev.local/hello:v1, command: [/no/such/binary]}", True),
        ("{image: curlimages/curl, command: [sleep, '3600']}", True),
        ("{image: dev.local/hello:v1, command: [sh, -c, touch x]}", False),
        ("{image: dev.local/hello:v1, command: [python3, -c, pass]}", False),
        ("{image: dev.local/hello:v1, command: [/bin/sh]}", False),
        ("{image: dev.local/hello:v1, command: [./sh], workingDir: /bin}", False),
        ("{image: x, command: [/own/x], volumeMounts: [{name: a, mountPath: /own}]}", False),
        ("{image: python:3.11, args: [-c, pass]}", False),
        ("{image: 'busybox', args: [-c, touch x]}", False),
        ("{image: python:3.11, env: [{name: PYTHONSTARTUP, value: /own/x}]}", False),
        ("{image: python:3.11, envFrom: [{configMapRef: {name: x}}]}", False),
        ("{image: dev.local/hello:v1, livenessProbe: {exec: {command: [sh]}}}", False),
        ("{image: dev.local/hello:v1, livenessProbe: {exec: {command: [cat, /x]}}}", True),
        ("{image: x, lifecycle: {preStop: {exec: {command: [touch, /x]}}}}", False),
        ("{image: x, lifecycle: {preStop: {exec: {command: [x]}}}}", True),
    ],
)
def test_programs_in_manifests(tmp_path: Path, container: str, fine: bool) -> None:
    def refused(arguments: list[str], stdin: str) -> bool:
        try:
            check(arguments, stdin, tmp_path)
        except Refused:
            return True
        return False

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pod.yaml").write_text(pod(container))
    assert refused(["apply", "-f", "-"], pod(container)) != fine
    assert refused(["apply", "-f", "a/pod.yaml"], "") != fine
    assert refused(["apply", "-f", "a"], "") != fine


def test_a_guarded_cluster_runs_nothing_that_is_refused(tmp_path: Path) -> None:
    cluster = Guarded.of(existing(str(tmp_path / "kubeconfig")), tmp_path)
    with pytest.raises(Refused, match="'sh' is not run in a pod here"):
        cluster.kubectl("exec", "pod", "--", "sh")
    assert cluster.kubectl("version", "--client").code == 0
