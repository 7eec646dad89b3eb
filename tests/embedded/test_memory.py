"""limits.memory: what exceeds it is ended as on a real node, and what does not is left alone.

The programs here take at most 200 MiB, whatever the node does.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.embedded.test_pods import output, running, state
from tests.support.cluster import Cluster
from tests.support.wait import eventually

LIMIT = {"limits": {"memory": "64Mi"}}
WAIT = "\nimport time; time.sleep(3600)"
# In steps, each page touched: 200 MiB in all.
GREEDY = (
    "import time\nkept = []\nfor _ in range(40): kept.append(b'x' * (5 << 20)); time.sleep(.02)"
)
CHILDREN = (
    "import subprocess, sys\n"
    "take = 'import time; kept = b\"x\" * (40 << 20); time.sleep(3600)'\n"
    "for _ in range(3): subprocess.Popen([sys.executable, '-c', take], start_new_session=True)"
)
SHARED = "import mmap\nkept = mmap.mmap(-1, 160 << 20)\nkept.write(b'x' * (40 << 20) * 4)"


def python(name: str, namespace: str, script: str, policy: str = "Never") -> dict[str, Any]:
    """A pod of one container that runs Python with a limit of 64Mi."""
    container = {
        "name": "c",
        "image": "dev.local/hello:v1",
        "command": ["python3", "-c", script],
        "resources": LIMIT,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container],
            "restartPolicy": policy,
            "terminationGracePeriodSeconds": 1,
        },
    }


@pytest.mark.covers("pods", "a container above limits.memory is OOMKilled")
@pytest.mark.parametrize("script", [GREEDY, CHILDREN, SHARED], ids=["heap", "children", "shared"])
def test_a_container_above_its_limit_is_killed(own: Cluster, namespace: str, script: str) -> None:
    own.apply(python("greedy", namespace, script + WAIT))
    ended = eventually(
        lambda: state(own, "greedy", namespace)["state"].get("terminated"), timeout=60
    )
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    pod = own.get("pod", "greedy", namespace)
    assert pod["status"]["phase"] == "Failed"
    assert "OOMKilled" in own.kubectl("get", "pod", "greedy", "-n", namespace).out


@pytest.mark.covers("pods", "an OOMKilled container is restarted as the policy says")
def test_the_restart_policy_applies(own: Cluster, namespace: str) -> None:
    own.apply(python("again", namespace, GREEDY + WAIT, policy="Always"))

    def restarted() -> dict[str, Any]:
        found = state(own, "again", namespace)
        return found if found.get("restartCount", 0) >= 1 else {}

    found = eventually(restarted, timeout=60)
    last = found["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("OOMKilled", 137)
    own.kubectl("delete", "pod", "again", "-n", namespace, "--wait=false")


@pytest.mark.covers("pods", "a container below limits.memory is left alone")
def test_a_container_below_its_limit_is_left_alone(own: Cluster, namespace: str) -> None:
    """Mapped files and memory that was given back are not counted."""
    script = (
        "import mmap, sys, time\n"
        "kept = b'x' * (30 << 20); del kept\n"
        "kept = b'x' * (30 << 20)\n"
        "time.sleep(1)\n"
        "print('done')"
    )
    own.apply(python("modest", namespace, script))
    assert output(own, "modest", namespace) == "done\n"


@pytest.mark.parametrize("image", ["dev.local/hello:v1", "dev.local/metrics-echo:v1"])
def test_catalogue_apps_live_within_small_limits(own: Cluster, namespace: str, image: str) -> None:
    """The pages that they share with the interpreter they were forked from are not theirs."""
    pod = python("app", namespace, "")
    container = pod["spec"]["containers"][0]
    del container["command"]
    container |= {"image": image, "resources": {"limits": {"memory": "32Mi"}}}
    own.apply(pod)
    running(own, "app", namespace)
    # A greedy pod that starts later and is ended shows that the node has looked meanwhile.
    own.apply(python("greedy", namespace, GREEDY + WAIT))
    eventually(lambda: state(own, "greedy", namespace)["state"].get("terminated"), timeout=60)
    found = state(own, "app", namespace)
    assert "running" in found["state"], json.dumps(found)
    assert found["restartCount"] == 0


def test_a_process_that_entered_counts_too(own: Cluster, namespace: str) -> None:
    own.apply(python("entered", namespace, WAIT))
    running(own, "entered", namespace)
    own.kubectl(
        "exec", "entered", "-n", namespace, "--", "python3", "-c", GREEDY + WAIT, timeout=60
    )
    ended = eventually(
        lambda: state(own, "entered", namespace)["state"].get("terminated"), timeout=60
    )
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
