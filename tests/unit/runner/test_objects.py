"""What kubectl showed, read back. The first object is an excerpt of a recorded one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ClusterError
from harness.runner.objects import Shown, shown

# From a real cluster: Knative Serving 1.18.2 on Kubernetes 1.33, `kubectl get ksvc -o yaml`.
RECORDED = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  annotations:
    serving.knative.dev/creator: kubernetes-admin
  creationTimestamp: "2026-11-22T08:17:12Z"
  generation: 1
  name: hello
  namespace: default
  resourceVersion: "1714"
  uid: a0f744eb-14fc-41a5-b661-47cdcde244c0
status:
  conditions:
  - lastTransitionTime: "2026-11-22T08:17:14Z"
    status: "True"
    type: ConfigurationsReady
  - lastTransitionTime: "2026-11-22T08:17:14Z"
    status: "True"
    type: Ready
  latestCreatedRevisionName: hello-00001
  latestReadyRevisionName: hello-00001
  observedGeneration: 1
"""
HELLO = Shown(
    kind="Service",
    name="hello",
    uid="a0f744eb-14fc-41a5-b661-47cdcde244c0",
    generation=1,
    observed_generation=1,
    resource_version="1714",
    ready="True",
    ready_reason="",
    latest_created="hello-00001",
    latest_ready="hello-00001",
)


def test_a_recorded_service() -> None:
    assert shown(RECORDED) == {"Service/hello": HELLO}


def test_a_list_of_services() -> None:
    body = "".join(f"  {line}\n" for line in RECORDED.splitlines())
    items = "-" + body[1:]
    other = items.replace("hello", "other")
    found = shown(f"apiVersion: v1\nkind: List\nitems:\n{items}{other}")
    assert list(found) == ["Service/hello", "Service/other"]


@pytest.mark.parametrize("text", ["", "---\n", "null\n"])
def test_nothing_is_no_object(text: str) -> None:
    assert shown(text) == {}


@pytest.mark.parametrize("text", ["a: [", "just text", "- a"])
def test_what_is_no_object_is_told(text: str) -> None:
    with pytest.raises(ClusterError, match="kubectl printed"):
        shown(text)


def test_several_snapshots_in_one_stream() -> None:
    found = shown(f"{RECORDED}---\n{RECORDED.replace('hello', 'other')}")
    assert set(found) == {"Service/hello", "Service/other"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        (
            {"ready": "False", "ready_reason": "RevisionMissing: x"},
            "Ready is False RevisionMissing: x",
        ),
        ({"ready": "Unknown"}, "Ready is Unknown"),
        ({"ready": ""}, "Ready is not reported"),
        ({"generation": 2}, "observedGeneration 1, generation 2"),
        ({"latest_created": "hello-00002"}, "latest ready hello-00001, latest created hello-00002"),
        ({"ready": "False", "generation": 2}, "Ready is False"),
    ],
)
def test_why_it_is_not_ready(changes: dict[str, object], why: str) -> None:
    assert replace(HELLO, **changes).unready == why  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "kind: Service\nmetadata: {name: x}\n",
        "kind: Service\nmetadata: {name: x}\nstatus: {}\n",
        "kind: Service\nmetadata: {name: x}\nstatus: {conditions: null}\n",
        "kind: Service\nmetadata: {name: x}\nstatus: {conditions: [1, x]}\n",
        "kind: Service\nmetadata: {name: x, generation: many}\n",
    ],
)
def test_a_young_or_odd_object_is_not_ready(text: str) -> None:
    (found,) = shown(text).values()
    assert found.unready == "Ready is not reported"
    assert found.generation == 0


@given(st.integers(1, 5), st.integers(0, 5), st.sampled_from(["True", "False", "Unknown"]))
def test_ready_means_true_and_seen(generation: int, observed: int, ready: str) -> None:
    found = replace(HELLO, generation=generation, observed_generation=observed, ready=ready)
    assert (found.unready == "") is (ready == "True" and observed == generation)
