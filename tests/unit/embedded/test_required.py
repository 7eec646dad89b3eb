"""What the API server demands of built-in kinds beyond the types of their fields."""

from __future__ import annotations

from typing import Any

import pytest

from infra.embedded.admission import required
from infra.embedded.api import shapes
from infra.embedded.kinds import (
    CRONJOB,
    DEPLOYMENT,
    HPA,
    JOB,
    KSERVICE,
    POD,
    REPLICASET,
    ROLEBINDING,
    SERVICE,
    STORAGECLASS,
    Kind,
)

CONTAINER = {"name": "c", "image": "i"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
ONCE = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
SELECTOR = {"matchLabels": {"a": "b"}}
NO_CONTAINERS = "spec.template.spec.containers: Required value"
MISMATCH = "`selector` does not match template `labels`"
RESTART = 'Required value: valid values: "OnFailure", "Never"'


def complaints(kind: Kind, obj: dict[str, Any]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in required.causes(kind, obj)]


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{**CONTAINER, **container}]}}


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        (POD, pod()),
        (POD, pod(ports=[{"containerPort": 8080}], env=[{"name": "A"}])),
        (DEPLOYMENT, {"spec": {"selector": SELECTOR, "template": TEMPLATE, "replicas": 0}}),
        (REPLICASET, {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
        (JOB, {"spec": {"template": ONCE}}),
        (CRONJOB, {"spec": {"schedule": "@hourly", "jobTemplate": {"spec": {"template": ONCE}}}}),
        (SERVICE, {"spec": {"ports": [{"port": 80}]}}),
        (SERVICE, {"spec": {"clusterIP": "None"}}),
        (SERVICE, {"spec": {"type": "ExternalName", "externalName": "example.com"}}),
        (KSERVICE, {}),  # Knative's own webhook looks at it
    ],
)
def test_what_may_be_stored(kind: Kind, obj: dict[str, Any]) -> None:
    assert complaints(kind, obj) == []


@pytest.mark.parametrize(
    ("kind", "obj", "said"),
    [
        (POD, {}, ["spec.containers: Required value"]),
        (POD, {"spec": {"containers": []}}, ["spec.containers: Required value"]),
        (POD, {"spec": {"containers": [{}]}},
         ["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"]),
        (POD, pod(ports=[{}]), ["spec.containers[0].ports[0].containerPort: Required value"]),
        (POD, pod(ports=[{"containerPort": 70000}]),
         ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
          "65535, inclusive"]),
        (POD, pod(env=[{"value": "x"}]), ["spec.containers[0].env[0].name: Required value"]),
        (POD, pod(volumeMounts=[{"name": "v"}]),
         ["spec.containers[0].volumeMounts[0].mountPath: Required value"]),
        (DEPLOYMENT, {"spec": {}},
         ["spec.selector: Required value",
          f"spec.template.metadata.labels: Invalid value: null: {MISMATCH}", NO_CONTAINERS]),
        (DEPLOYMENT, {"spec": {"selector": SELECTOR}},
         [f"spec.template.metadata.labels: Invalid value: null: {MISMATCH}", NO_CONTAINERS]),
        (DEPLOYMENT, {"spec": {"selector": {}, "template": TEMPLATE}},
         ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
        (DEPLOYMENT, {"spec": {"selector": SELECTOR, "template": TEMPLATE, "replicas": -1}},
         ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (JOB, {}, [NO_CONTAINERS, f"spec.template.spec.restartPolicy: {RESTART}"]),
        (JOB, {"spec": {"template": TEMPLATE}}, [f"spec.template.spec.restartPolicy: {RESTART}"]),
        (CRONJOB, {"spec": {"schedule": "x", "jobTemplate": {"spec": {"template": ONCE}}}},
         ['spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]']),
        (CRONJOB, {},
         ["spec.schedule: Required value", "spec.jobTemplate.spec.template.spec.containers: "
          "Required value", f"spec.jobTemplate.spec.template.spec.restartPolicy: {RESTART}"]),
        (SERVICE, {}, ["spec.ports: Required value"]),
        (SERVICE, {"spec": {"type": "ExternalName"}}, ["spec.externalName: Required value"]),
        (SERVICE, {"spec": {"ports": [{"port": 80}, {"port": 81, "name": "b"}]}},
         ["spec.ports[0].name: Required value"]),
        (ROLEBINDING, {}, ["roleRef.name: Required value"]),
        (STORAGECLASS, {}, ["provisioner: Required value"]),
        (HPA, {}, ["spec.scaleTargetRef.kind: Required value",
                   "spec.scaleTargetRef.name: Required value"]),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Kind, obj: dict[str, Any], said: list[str]) -> None:
    assert complaints(kind, obj) == said


def test_every_type_and_field_of_the_tables_is_one_of_kubernetes() -> None:
    tables: list[dict[str, tuple[str, ...]]] = [
        dict(required._REQUIRED), dict(required._NOT_NEGATIVE)
    ]  # fmt: skip
    for table in tables:
        for name, fields in table.items():
            shape = shapes.of_name(name)
            assert shape is not None, name
            assert set(fields) <= shape.fields.keys(), name
