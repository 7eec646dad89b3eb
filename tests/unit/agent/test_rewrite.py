"""curl's rewriting rules, and names that spell an address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.magic import spelled_address
from probes.agent.rewrite import (
    apply_connect_to,
    apply_resolve,
    parse_connect_to,
    parse_resolve,
)


@pytest.mark.parametrize(
    ("rule", "goes_to"),
    [
        ("a.test:80:127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("A.Test:80:127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("::127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("a.test:::8080", ("a.test", 8080)),
        ("a.test:80:gw.test:", ("gw.test", 80)),
        ("a.test:80:[::1]:8080", ("::1", 8080)),
        ("b.test:80:127.0.0.1:8080", ("a.test", 80)),
        ("a.test:81:127.0.0.1:8080", ("a.test", 80)),
    ],
)
def test_connect_to(rule: str, goes_to: tuple[str, int]) -> None:
    assert apply_connect_to((parse_connect_to(rule),), "a.test", 80) == goes_to


def test_the_first_rule_that_matches_decides() -> None:
    rules = tuple(map(parse_connect_to, ("a.test:80:one:1", "::two:2")))
    assert apply_connect_to(rules, "a.test", 80) == ("one", 1)
    assert apply_connect_to(rules, "b.test", 80) == ("two", 2)


@pytest.mark.parametrize(
    ("rule", "addresses"),
    [
        ("a.test:80:127.0.0.1", ("127.0.0.1",)),
        ("+a.test:80:127.0.0.1,[::1]", ("127.0.0.1", "::1")),
        ("*:80:10.0.0.1", ("10.0.0.1",)),
        ("a.test:81:127.0.0.1", ()),
        ("b.test:80:127.0.0.1", ()),
        ("a.test:80:::1", ("::1",)),
    ],
)
def test_resolve(rule: str, addresses: tuple[str, ...]) -> None:
    assert apply_resolve((parse_resolve(rule),), "A.test", 80) == addresses


@pytest.mark.parametrize("rule", ["", "a:80", "a:80:", "a:x:1.2.3.4", "a:80:b.test", ":80:1.2.3.4"])
def test_bad_resolve_rules(rule: str) -> None:
    with pytest.raises(ValueError, match=r"expected|address"):
        parse_resolve(rule)


@pytest.mark.parametrize("rule", ["", "a:80:b", "a:80:b:x", "a:80:b:99999", "a:b:c:d:e"])
def test_bad_connect_to_rules(rule: str) -> None:
    with pytest.raises(ValueError, match=r"expected|port"):
        parse_connect_to(rule)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("127.0.0.1.sslip.io", "127.0.0.1"),
        ("hello.default.127.0.0.1.sslip.io", "127.0.0.1"),
        ("hello.default.127.0.0.1.nip.io.", "127.0.0.1"),
        ("hello-10-0-0-1.nip.io", "10.0.0.1"),
        ("www.192-168-0-1.SSLIP.io", "192.168.0.1"),
        ("app.7f000001.nip.io", "127.0.0.1"),
        ("--1.sslip.io", "::1"),
        ("2a01-4f8-c17-b8f--2.sslip.io", "2a01:4f8:c17:b8f::2"),
        ("7f000001.sslip.io", None),
        ("256.0.0.1.sslip.io", None),
        ("1.2.3.sslip.io", None),
        ("sslip.io", None),
        ("127.0.0.1.sslip.io.example.com", None),
        ("127.0.0.1", None),
        ("hello.default.svc.cluster.local", None),
    ],
)
def test_magic_names(name: str, address: str | None) -> None:
    assert spelled_address(name) == address


@given(st.ip_addresses(v=4), st.sampled_from([".", "-"]), st.sampled_from(["sslip.io", "nip.io"]))
def test_every_ipv4_address_can_be_spelled(
    address: ipaddress.IPv4Address, separator: str, domain: str
) -> None:
    spelled = str(address).replace(".", separator)
    assert spelled_address(f"hello.default.{spelled}.{domain}") == str(address)
