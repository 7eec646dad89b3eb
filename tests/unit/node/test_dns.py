"""The cluster's DNS: packets and names."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.clock import Clock
from infra.embedded.kinds import ENDPOINTSLICE, SERVICE
from infra.embedded.kubelet import dns
from infra.embedded.kubelet.dns import AAAA, A, Answer, build, encode_name, parse, resolve
from infra.embedded.store import Store

DOMAIN = "cluster.local"


def query(name: str, kind: int = A) -> bytes:
    return (
        struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)
        + encode_name(name)
        + struct.pack("!HH", kind, 1)
    )


@pytest.fixture
def store() -> Store:
    store = Store(Clock())
    for name, spec in {
        "plain": {"clusterIP": "10.96.0.7"},
        "headless": {"clusterIP": "None"},
        "hello": {"type": "ExternalName", "externalName": f"plain.default.svc.{DOMAIN}"},
        "outside": {"type": "ExternalName", "externalName": "example.org"},
        "loop": {"type": "ExternalName", "externalName": f"loop.default.svc.{DOMAIN}"},
    }.items():
        meta = {"name": name, "namespace": "default"}
        store.create(SERVICE, {"metadata": meta, "spec": spec})
    slice_ = {
        "metadata": {
            "name": "headless-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "headless"},
        },
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        ],
    }
    store.create(ENDPOINTSLICE, slice_)
    return store


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("plain.default.svc.cluster.local", Answer(True, (), ("10.96.0.7",))),
        ("headless.default.svc.cluster.local", Answer(True, (), ("10.0.0.1",))),
        (
            "hello.default.svc.cluster.local",
            Answer(True, ("plain.default.svc.cluster.local",), ("10.96.0.7",)),
        ),
        ("outside.default.svc.cluster.local", Answer(True, ("example.org",))),
        ("absent.default.svc.cluster.local", Answer(False)),
        ("plain.other.svc.cluster.local", Answer(False)),
        ("hello.default.127.0.0.1.sslip.io", Answer(False)),
    ],
)
def test_names(store: Store, name: str, answer: Answer) -> None:
    assert resolve(store, DOMAIN, name) == answer


def test_an_alias_of_itself_ends(store: Store) -> None:
    found = resolve(store, DOMAIN, f"loop.default.svc.{DOMAIN}")
    assert found.exists
    assert not found.addresses


def test_an_answer_follows_its_alias() -> None:
    question = parse(query("hello.default"))
    packet = build(question, Answer(True, ("a.b",), ("1.2.3.4",)))
    assert struct.unpack_from("!HHHH", packet) == (7, 0x8580, 1, 2)
    assert packet.endswith(
        encode_name("a.b") + struct.pack("!HHIH", A, 1, dns.TTL, 4) + b"\1\2\3\4"
    )


@pytest.mark.parametrize(
    ("kind", "answer", "code", "records"),
    [
        (AAAA, Answer(True, (), ("1.2.3.4",)), dns.NO_ERROR, 0),
        (A, Answer(False), dns.NAME_ERROR, 0),
        (A, Answer(True, (), ("1.2.3.4", "1.2.3.5")), dns.NO_ERROR, 2),
    ],
)
def test_codes(kind: int, answer: Answer, code: int, records: int) -> None:
    packet = build(parse(query("x.y", kind)), answer)
    _, flags, _, count = struct.unpack_from("!HHHH", packet)
    assert (flags & 0xF, count) == (code, records)


_LABELS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63),
    min_size=1,
    max_size=4,
)


@given(_LABELS)
def test_names_survive_the_packet(labels: list[str]) -> None:
    assert parse(query(".".join(labels))).name == ".".join(labels)


@given(st.binary(max_size=64))
def test_no_packet_breaks_the_server(packet: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(parse(packet).raw) <= len(packet)
