"""What a replay takes out of outputs before it compares them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.embedded.conformance.normal import differences, text, value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-22T08:17:09Z", "2027-01-01T00:00:00Z"),
        ("hello   1   3m5s", "hello  1  42m"),
        ("pod/h-00001-deployment-74b66f6cf4-6klfs", "pod/h-00001-deployment-abcdefgh12-zzzzz"),
        ("http://hello.default.127.0.0.1.sslip.io", "http://hello.default.127.9.8.7.sslip.io"),
        ("uid 1593298c-14c2-4b95-8603-35e451619fbf", "uid d1473bae-4386-4c72-93ac-0ce4a0411bbb"),
        ("10.96.0.1", "10.96.77.3"),
        ('resourceVersion: "1"', 'resourceVersion: "99"'),
        ("E1122 08:45:20.619053   26942 memcache.go", "E0101 00:00:00.0   1 memcache.go"),
    ],
)
def test_what_every_cluster_has_otherwise(one: str, other: str) -> None:
    assert one != other
    assert text(one) == text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("hello created", "hello configured"), ("READY True", "READY False"), ("0", "1")],
)
def test_what_matters_stays(one: str, other: str) -> None:
    assert text(one) != text(other)


@given(st.text(max_size=80))
def test_normal_text_stays_normal(found: str) -> None:
    assert text(text(found)) == text(text(text(found)))


@pytest.mark.parametrize(
    ("wanted", "got", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [".a.b[1]: 2 -> 3"]),
        ({"a": 1}, {}, [".a: 1 -> None"]),
        ([1], [1, 2], [".: [1] -> [1, 2]"]),
    ],
)
def test_differences(wanted: Any, got: Any, found: list[str]) -> None:
    assert differences(wanted, got) == found


def test_objects_lose_what_is_generated_and_ports_their_order() -> None:
    one = {"metadata": {"uid": "x", "name": "a"}, "ports": [{"port": 2}, {"port": 1}]}
    assert value(one) == {"metadata": {"name": "a"}, "ports": [{"port": 1}, {"port": 2}]}
