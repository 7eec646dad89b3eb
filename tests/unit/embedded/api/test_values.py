"""JSONPath of printer columns, durations, names, request targets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import jsonpath, tables
from infra.embedded.api.columns import duration
from infra.embedded.api.names import check_metadata
from infra.embedded.api.target import PageNotFound, options, parse
from infra.embedded.errors import BadRequest, Invalid, NotFound, StatusError
from infra.embedded.kinds import CONFIGMAP, KSERVICE, NAMESPACE, POD, REVISION, Kind, Registry

NOW = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
READY = {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.conditions[?(@.type=='Ready')].status", "True"),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (r".metadata.labels['serving\.knative\.dev/x']", "y"),
        (".status.conditions[0].status", "False"),
        (".status.conditions[-1].type", "Ready"),
        (".status.conditions[*].type", "Other"),
        ("{.metadata.name}", "n"),
        (".metadata.missing.deeper", None),
        (".metadata.name.x", None),
        (".status.conditions[9].type", None),
    ],
)
def test_jsonpath(path: str, found: Any) -> None:
    obj = {"metadata": {"name": "n", "labels": {"serving.knative.dev/x": "y"}}, "status": READY}
    assert jsonpath.first(obj, path) == found


def test_a_path_that_is_not_supported_says_where() -> None:
    with pytest.raises(ValueError, match=r"cannot read '\.\.b'"):
        jsonpath.first({}, ".a..b")


# k8s.io/apimachinery, duration.HumanDuration.
@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"),
        (600, "10m"), (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (5 * 3600 + 60, "5h1m"),
        (8 * 3600, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"), (50 * 3600, "2d2h"),
        (8 * 86400, "8d"), (800 * 86400, "2y70d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_ages(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown


@given(st.integers(min_value=0, max_value=10**10))
def test_every_age_is_short(seconds: int) -> None:
    assert len(duration(seconds)) <= 8


def test_the_columns_of_a_service_are_the_recorded_ones() -> None:
    """01-discovery/table-services."""
    shown = tables.table(KSERVICE, [], NOW, metadata={})
    names = [column["name"] for column in shown["columnDefinitions"]]
    assert names == ["Name", "URL", "LatestCreated", "LatestReady", "Ready", "Reason"]
    assert shown["columnDefinitions"][4]["description"] == (
        "Custom resource definition column (in JSONPath format): "
        ".status.conditions[?(@.type=='Ready')].status"
    )


def test_an_absent_column_of_a_custom_resource_is_null() -> None:
    revision = {"metadata": {"name": "r"}, "status": {"actualReplicas": 0}}
    shown = tables.table(REVISION, [revision], NOW, metadata={})
    assert shown["rows"][0]["cells"] == ["r", None, None, None, None, 0, None]


@pytest.mark.parametrize(
    ("status", "meta", "word"),
    [
        ({"phase": "Running"}, {}, "Running"),
        ({"phase": "Running"}, {"deletionTimestamp": "x"}, "Terminating"),
        ({"phase": "Pending", "containerStatuses": [
            {"state": {"waiting": {"reason": "ErrImagePull"}}}]}, {}, "ErrImagePull"),
        ({"phase": "Running", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}, {}, "Error"),
        ({"phase": "Running", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 3}}}]}, {}, "ExitCode:3"),
        ({"phase": "Succeeded", "containerStatuses": [
            {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}, {}, "Completed"),
        ({"phase": "Pending", "initContainerStatuses": [
            {"state": {"running": {}}}]}, {}, "Init:0/1"),
    ],
)  # fmt: skip
def test_the_status_of_a_pod(status: dict[str, Any], meta: dict[str, Any], word: str) -> None:
    pod = {
        "metadata": {"name": "p", "creationTimestamp": "2026-11-22T07:59:00Z", **meta},
        "spec": {"containers": [{}], "initContainers": [{}]},
        "status": status,
    }
    cells = tables.table(POD, [pod], NOW, metadata={})["rows"][0]["cells"]
    assert cells[2] == word
    assert cells[4] == "60s"


@pytest.mark.parametrize(
    ("kind", "name", "valid"),
    [
        (CONFIGMAP, "a.b-c", True), (CONFIGMAP, "A", False), (CONFIGMAP, "-a", False),
        (CONFIGMAP, "x" * 254, False), (NAMESPACE, "a.b", False), (NAMESPACE, "a" * 64, False),
        (KSERVICE, "a_b", False), (CONFIGMAP, "a\n", False),
    ],
)  # fmt: skip
def test_names(kind: Kind, name: str, valid: bool) -> None:
    if valid:
        check_metadata(kind, {"metadata": {"name": name}})
        return
    with pytest.raises(Invalid, match=r"metadata\.name: Invalid value"):
        check_metadata(kind, {"metadata": {"name": name}})


@pytest.mark.parametrize(
    "labels", [{"a b": "c"}, {"a": "b c"}, {"a": "x" * 64}, {"/a": "b"}, {"a/b/c": "d"}]
)
def test_labels_that_kubernetes_does_not_store(labels: dict[str, str]) -> None:
    with pytest.raises(Invalid, match=r"metadata\.labels"):
        check_metadata(CONFIGMAP, {"metadata": {"name": "a", "labels": labels}})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods", (POD, None, None, None)),
        ("/api/v1/namespaces/n/pods", (POD, "n", None, None)),
        ("/api/v1/namespaces/n/pods/p/log", (POD, "n", "p", "log")),
        ("/api/v1/namespaces", (NAMESPACE, None, None, None)),
        ("/api/v1/namespaces/n", (NAMESPACE, None, "n", None)),
        ("/api/v1/namespaces/n/status", (NAMESPACE, None, "n", "status")),
        ("/apis/serving.knative.dev/v1/namespaces/n/services/s", (KSERVICE, "n", "s", None)),
    ],
)
def test_targets(path: str, expected: tuple[Kind, str | None, str | None, str | None]) -> None:
    target = parse(Registry(), path)
    assert (target.kind, target.namespace, target.name, target.subresource) == expected


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/apis/nope.dev/v1/x", PageNotFound),
        ("/apis/apps", PageNotFound),
        ("/nothing", PageNotFound),
        ("/api/v1/nopes", StatusError),
        ("/api/v1/pods/p", StatusError),
        ("/api/v1/namespaces/n/pods/p/nope", StatusError),
        ("/apis/serving.knative.dev/v1/namespaces/n/services/s/scale", NotFound),
        ("/api/v1/namespaces/n/nodes", StatusError),
        ("/api/v1/namespaces/n//pods", StatusError),
    ],
)
def test_paths_that_name_nothing(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(Registry(), path)


@given(st.text(alphabet="/apisv1nmeoder.", max_size=60))
def test_any_path_is_understood_or_refused(path: str) -> None:
    try:
        parse(Registry(), f"/apis/{path}")
    except (PageNotFound, StatusError):
        return


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "x"}, {"resourceVersion": "abc"}, {"dryRun": "Some"}, {"fieldValidation": "No"},
        {"timeoutSeconds": "1s"}, {"resourceVersion": "١"},
    ],
)  # fmt: skip
def test_options_that_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        options(query, "")


def test_the_manager_is_the_client_unless_it_says_so() -> None:
    assert options({}, "kubectl/v1.37 (linux)").manager == "kubectl"
    assert options({"fieldManager": "me"}, "kubectl/v1.37").manager == "me"
