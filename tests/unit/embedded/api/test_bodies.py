"""Request bodies: JSON, YAML, protobuf; unknown fields, wrong types, schemas of CRDs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import body, fields, protobuf, shapes
from infra.embedded.errors import BadRequest, UnsupportedMediaType
from infra.embedded.kinds import BUILT_IN, DEPLOYMENT, KSERVICE, METRIC


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    meta = field(1, version) + field(2, kind)
    return b"k8s\x00" + field(1, meta) + field(2, raw)


class TestProtobuf:
    def test_a_config_map(self) -> None:
        meta = field(1, "a") + field(3, "default") + field(11, field(1, "k") + field(2, "v"))
        data = field(2, field(1, "x") + field(2, "1"))
        binary = field(3, field(1, "b") + field(2, b"\x00\x01"))
        decoded = protobuf.decode(envelope("v1", "ConfigMap", field(1, meta) + data + binary))
        assert decoded == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "default", "labels": {"k": "v"}},
            "data": {"x": "1"},
            "binaryData": {"b": "AAE="},
        }

    def test_messages_that_json_leaves_out(self) -> None:
        probe = field(1, field(3, field(1, field(1, 0) + field(2, 8080)))) + field(4, 5)
        container = field(1, "c") + field(10, probe)
        pod = envelope("v1", "Pod", field(2, field(2, container)))
        spec = protobuf.decode(pod)["spec"]
        assert spec["containers"] == [
            {"name": "c", "livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 5}}
        ]

    @pytest.mark.parametrize(
        ("number", "value", "expected"),
        [
            (1, 0, {"replicas": 0}),
            (1, (1 << 64) - 1, {"replicas": -1}),
            (5, 0, {}),
            (7, 0, {}),
        ],
        ids=["a pointer to zero", "negative", "plain zero", "plain false"],
    )
    def test_zeroes(self, number: int, value: int, expected: dict[str, Any]) -> None:
        raw = envelope("apps/v1", "Deployment", field(2, field(number, value)))
        assert protobuf.decode(raw)["spec"] == expected

    def test_times_quantities_and_ports_by_name(self) -> None:
        limits = field(1, field(1, "cpu") + field(2, field(1, "250m")))
        target = field(1, 1) + field(3, "http")
        pod = field(2, field(2, field(8, limits)))
        decoded = protobuf.decode(envelope("v1", "Pod", pod))
        assert decoded["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "250m"}}
        service = field(2, field(1, field(3, 80) + field(4, target)))
        decoded = protobuf.decode(envelope("v1", "Service", service))
        assert decoded["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
        created = field(1, field(8, field(1, 1_700_000_000)))
        decoded = protobuf.decode(envelope("v1", "Secret", created))
        assert decoded["metadata"] == {"creationTimestamp": "2023-11-14T22:13:20Z"}

    def test_another_kind_is_refused(self) -> None:
        with pytest.raises(UnsupportedMediaType, match="send JSON"):
            protobuf.decode(envelope("v1", "Nonsense", b""))

    @given(st.binary(max_size=60))
    def test_any_bytes_are_decoded_or_refused(self, raw: bytes) -> None:
        try:
            protobuf.decode(envelope("v1", "Pod", raw))
        except (BadRequest, UnsupportedMediaType):
            return


class TestText:
    def test_yaml_keeps_times_as_text(self) -> None:
        decoded = body.decode(b"a: 2026-01-01\nb: 2026-01-01T00:00:00Z", "application/yaml")
        assert decoded.value == {"a": "2026-01-01", "b": "2026-01-01T00:00:00Z"}

    def test_duplicates_are_named(self) -> None:
        decoded = body.decode(b'{"a": 1, "a": 2, "b": {"c": 1, "c": 1}}', "application/json")
        assert decoded.duplicates == ("c", "a")

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b"{bad", "error decoding patch: invalid character 'b' looking for beginning of "
                      "object key string"),
            (b'{"a": x}', "error decoding patch: invalid character 'x' looking for beginning of "
                          "value"),
            (b'{"a": 1', "error decoding patch: unexpected end of JSON input"),
        ],
    )  # fmt: skip
    def test_go_words_for_bad_json(self, raw: bytes, message: str) -> None:
        """04-failures/ssa-and-updates: patch invalid json."""
        with pytest.raises(BadRequest) as raised:
            body.decode(raw, "application/merge-patch+json", what="patch")
        assert raised.value.message == message

    @given(st.binary(max_size=80), st.sampled_from(["application/json", "application/yaml"]))
    def test_any_bytes_are_decoded_or_refused(self, raw: bytes, media: str) -> None:
        try:
            body.decode(raw, media)
        except BadRequest:
            return


class TestShapes:
    def test_the_kinds_that_something_acts_on_have_one(self) -> None:
        has = {kind.kind for kind in BUILT_IN if shapes.of_kind(kind)}
        assert has >= {
            "ConfigMap", "CronJob", "Deployment", "EndpointSlice", "Endpoints", "Event", "Job",
            "Lease", "Namespace", "Node", "Pod", "ReplicaSet", "Role", "RoleBinding", "ClusterRole",
            "ClusterRoleBinding", "Secret", "Service", "ServiceAccount", "Configuration",
            "Revision", "Route",
        }  # fmt: skip

    def test_internal_kinds_of_knative_take_anything(self) -> None:
        assert shapes.of_kind(METRIC) is None

    @pytest.mark.parametrize(
        ("obj", "unknown"),
        [
            ({"spec": {"bogus": 1}}, ["spec.bogus"]),
            ({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}},
             ["spec.template.spec.restartPolicy"]),
            ({"spec": {"template": {"spec": {"containers": [{"lifecycle": {}}]}}}},
             ["spec.template.spec.containers[0].lifecycle"]),
            ({"spec": {"template": {"metadata": {"anything": 1}}}}, []),
            ({"metadata": {"labels": {"a": "b"}, "bogus": 1}}, ["metadata.bogus"]),
        ],
    )  # fmt: skip
    def test_unknown_fields_are_dropped(self, obj: dict[str, Any], unknown: list[str]) -> None:
        shape = shapes.of_kind(KSERVICE)
        assert shape is not None
        assert list(fields.prune(shape, obj)) == unknown
        assert list(fields.prune(shape, obj)) == []

    @pytest.mark.parametrize(
        ("obj", "message"),
        [
            ({"spec": {"replicas": "1"}},
             "json: cannot unmarshal string into Go struct field Deployment.spec.replicas of type "
             "int32"),
            ({"spec": {"paused": 1}},
             "json: cannot unmarshal number into Go struct field Deployment.spec.paused of type "
             "bool"),
            ({"metadata": {"labels": {"a": 1}}},
             "json: cannot unmarshal number into Go struct field Deployment.metadata.labels of "
             "type string"),
            ({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}, None),
        ],
    )  # fmt: skip
    def test_wrong_types(self, obj: dict[str, Any], message: str | None) -> None:
        shape = shapes.of_kind(DEPLOYMENT)
        assert shape is not None
        assert next(fields.mistakes(shape, obj, "Deployment"), None) == message
