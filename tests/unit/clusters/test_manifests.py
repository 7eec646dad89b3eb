"""Versions, manifests and digests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ClusterError, UsageError
from infra.knative.catalogue import COMPONENTS, load_catalogue, version_tuple
from infra.knative.digests import DigestLock, DigestMismatch, sha256
from infra.knative.manifests import (
    ManifestSource,
    images_of,
    map_images,
    read_image_map,
    repository_of,
)

RELEASE = load_catalogue().release("1.18")


@pytest.mark.parametrize(
    ("name", "kubernetes"),
    [
        ("1.18", "1.31"),
        ("1.19", "1.32"),
        ("1.20", "1.32"),
        ("1.21", "1.33"),
        ("1.22", "1.34"),
        ("1.23", "1.34"),
    ],
)
def test_each_release_knows_its_minimum(name: str, kubernetes: str) -> None:
    release = load_catalogue().release(name)
    assert release.kubernetes_minimum == kubernetes
    assert release.supported == (name == "1.18")
    assert set(release.urls) == set(COMPONENTS)


def test_the_urls_of_the_supported_release() -> None:
    assert RELEASE.urls["serving-core"] == (
        "https://github.com/knative/serving/releases/download/knative-v1.18.1/serving-core.yaml"
    )
    assert RELEASE.urls["kourier"] == (
        "https://github.com/knative-extensions/net-kourier/releases/download/"
        "knative-v1.18.0/kourier.yaml"
    )


def test_an_unknown_release_is_bad_usage() -> None:
    with pytest.raises(UsageError, match=r"1\.7 is not in the catalogue"):
        load_catalogue().release("1.7")


@given(st.lists(st.integers(min_value=0, max_value=999), min_size=1, max_size=4), st.text())
def test_version_tuple_reads_what_stands_in_front(numbers: list[int], rest: str) -> None:
    text = ".".join(map(str, numbers))
    if rest[:1].isdigit() or rest[:1] == ".":
        rest = "-" + rest
    assert version_tuple(f"v{text}{rest}") == tuple(numbers)


@pytest.mark.parametrize(
    ("older", "newer"), [("v1.9.0", "1.10.0"), ("1.33.13+embedded", "v1.34.0"), ("", "0.1")]
)
def test_versions_are_compared_by_number(older: str, newer: str) -> None:
    assert version_tuple(older) < version_tuple(newer)


def source(tmp_path: Path, answers: dict[str, bytes], **changes: object) -> ManifestSource:
    """A source whose network gives each answer once."""
    return ManifestSource(RELEASE, cache=tmp_path / "cache", fetch=answers.pop, **changes)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_download_is_cached_and_its_digest_recorded(tmp_path: Path) -> None:
    url = RELEASE.urls["kourier"]
    manifests = source(tmp_path, {url: b"kind: A\n"})
    assert manifests.load("kourier").content == b"kind: A\n"
    again = manifests.load("kourier")  # The network would fail now.
    assert (again.sha256, again.origin) == (sha256(b"kind: A\n"), url)
    lock = DigestLock(tmp_path / "state" / "vpm" / "knative" / "digests.json")
    assert lock.known() == {url: again.sha256}


@pytest.mark.parametrize("where", ["network", "cache"])
def test_another_content_under_the_same_url_is_refused(tmp_path: Path, where: str) -> None:
    url = RELEASE.urls["kourier"]
    source(tmp_path, {url: b"kind: A\n"}).load("kourier")
    cached = tmp_path / "cache" / RELEASE.serving / "kourier.yaml"
    if where == "cache":
        cached.write_bytes(b"kind: Evil\n")
    else:
        cached.unlink()
    with pytest.raises(DigestMismatch, match="has changed"):
        source(tmp_path, {url: b"kind: Evil\n"}).load("kourier")


def test_a_broken_lock_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "digests.json"
    file.write_text("{")
    with pytest.raises(ClusterError, match="not a lock file"):
        DigestLock(file).check("u", b"")


def test_a_folder_replaces_the_network(tmp_path: Path) -> None:
    (tmp_path / "kourier.yaml").write_bytes(b"kind: Local\n")
    manifest = source(tmp_path, {}, folder=tmp_path).load("kourier")
    assert (manifest.content, manifest.origin) == (b"kind: Local\n", str(tmp_path / "kourier.yaml"))
    with pytest.raises(UsageError, match=r"serving-core\.yaml"):
        source(tmp_path, {}, folder=tmp_path).load("serving-core")


MANIFEST = yaml.safe_dump_all(
    [
        {
            "kind": "Deployment",
            "spec": {"containers": [{"image": "gcr.io/knative/activator@sha256:aa"}]},
        },
        {"kind": "ConfigMap", "data": {"queue-sidecar-image": "gcr.io/knative/queue:v1", "x": "y"}},
        None,
    ]
).encode()


def test_images_are_found_where_they_stand() -> None:
    assert images_of([MANIFEST]) == (
        "gcr.io/knative/activator@sha256:aa",
        "gcr.io/knative/queue:v1",
    )


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ({"gcr.io/knative/queue:v1": "dev.local/queue:v1"}, "dev.local/queue:v1"),
        ({"gcr.io/knative/queue": "mirror:5000/queue:v1"}, "mirror:5000/queue:v1"),
        ({"gcr.io/knative/queu": "wrong"}, "gcr.io/knative/queue:v1"),
        ({}, "gcr.io/knative/queue:v1"),
    ],
)
def test_images_are_mapped_by_whole_names(images: dict[str, str], expected: str) -> None:
    mapped = map_images(MANIFEST, images)
    assert expected in images_of([mapped])
    assert b"x: y" in mapped


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("ghcr.io/knative/helloworld-go:latest", "ghcr.io/knative/helloworld-go"),
        ("host:5000/a/b", "host:5000/a/b"),
        ("host:5000/a/b:tag@sha256:0", "host:5000/a/b"),
        ("plain", "plain"),
    ],
)
def test_repository_of(image: str, repository: str) -> None:
    assert repository_of(image) == repository


@pytest.mark.parametrize("text", ["- a", "a: 3", "a: [b", "3"])
def test_what_is_no_image_map(tmp_path: Path, text: str) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="image map"):
        read_image_map(file)
