"""Room on the node."""

from decimal import Decimal
from typing import Any

import pytest

from infra.embedded.kubelet.scheduler import Reserved, quantity, requests


def pod(uid: str = "one", **resources: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "spec": {"containers": [{"resources": resources}, {}]}}


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", "0.1"), ("2", "2"), ("1.5", "1.5"), ("1Ki", "1024"), ("2Gi", "2147483648"),
     ("3M", "3000000"), (4, "4")],
)  # fmt: skip
def test_quantities(text: object, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1Xi", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


def test_limits_stand_in_for_requests() -> None:
    assert requests(pod(limits={"cpu": "2"}))["cpu"] == 2
    assert requests(pod(limits={"cpu": "2"}, requests={"cpu": "1"}))["cpu"] == 1


@pytest.mark.parametrize(
    ("wanted", "lacks"),
    [
        ({"cpu": "1"}, ""),
        ({"cpu": "1001m"}, "Insufficient cpu"),
        ({"memory": "2Gi"}, "Insufficient memory"),
    ],
)
def test_what_a_pod_lacks(wanted: dict[str, str], lacks: str) -> None:
    reserved = Reserved()
    reserved.take(pod(requests={"cpu": "1", "memory": "512Mi"}))
    left = reserved.room({"cpu": "2", "memory": "1Gi", "pods": "2"})
    assert left.lacks(pod(requests=wanted)) == lacks


def test_the_number_of_pods_is_limited() -> None:
    reserved = Reserved()
    reserved.take(pod())
    assert reserved.room({"pods": "1"}).lacks(pod("another")) == "Too many pods"


def test_a_pod_counts_once_and_until_it_is_released() -> None:
    reserved, one = Reserved(), pod(requests={"cpu": "1"})
    reserved.take(one)
    reserved.take(one)
    assert reserved.room({"cpu": "2"}).free["cpu"] == 1
    assert reserved.release(one)
    assert not reserved.release(one)
    assert reserved.room({"cpu": "2"}).free["cpu"] == 2
