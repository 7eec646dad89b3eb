"""The image catalogue: patterns, digests, and the errors of images that are not there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.kubelet.images import Catalogue, CatalogueError, Image, ImageError

CATALOGUE = Catalogue.load()
NULL_DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "entry"),
    [
        ("ghcr.io/knative/helloworld-go:latest", "infra.services.hello.app:main"),
        ("ghcr.io/knative/helloworld-go", "infra.services.hello.app:main"),
        ("ghcr.io/knative/helloworld-go@sha256:" + "a" * 64, "infra.services.hello.app:main"),
        ("dev.local/metrics-echo:dev", "infra.services.metrics_echo.app:main"),
        ("ghcr.io/hirakuarai/metrics-echo:dev", "infra.services.metrics_echo.app:main"),
        ("dev.local/hello:v1", "infra.services.hello.lab:main"),
    ],
)
def test_images_of_the_services_run_the_services(image: str, entry: str) -> None:
    assert CATALOGUE.find(image).entry == entry


def test_queue_proxy_is_played_by_the_node() -> None:
    image = "gcr.io/knative-releases/knative.dev/serving/cmd/queue:v1.18.2"
    assert CATALOGUE.find(image).builtin == "queue-proxy"


def test_an_image_by_digest_has_that_digest() -> None:
    digest = "sha256:" + "a" * 64
    assert CATALOGUE.resolve(f"ghcr.io/knative/helloworld-go@{digest}") == digest


def test_a_tag_resolves_to_a_stable_digest() -> None:
    first = CATALOGUE.resolve("ghcr.io/knative/helloworld-go:latest")
    assert first == Catalogue.load().resolve("ghcr.io/knative/helloworld-go:v2")
    assert len(first) == len(NULL_DIGEST)
    assert first != CATALOGUE.resolve("dev.local/metrics-echo:dev")


# The words of the recording 04-failures (pull-notag-resolve, pull-bad-digest).
def test_what_a_registry_says_of_a_missing_tag() -> None:
    with pytest.raises(ImageError) as caught:
        CATALOGUE.resolve("registry.klab.local:5000/nope:v1")
    assert caught.value.resolving == (
        "HEAD http://registry.klab.local:5000/v2/nope/manifests/v1: unexpected status code"
        " 404 Not Found (HEAD responses have no body, use GET for details)"
    )


def test_what_the_runtime_says_of_a_missing_digest() -> None:
    image = f"registry.klab.local:5000/hello@{NULL_DIGEST}"
    with pytest.raises(ImageError) as caught:
        CATALOGUE.find(image)
    assert caught.value.pulling == (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}":'
        f' failed to resolve reference "{image}": {image}: not found'
    )


def test_a_registry_outside_cannot_be_found() -> None:
    with pytest.raises(ImageError) as caught:
        CATALOGUE.find("dev.local/missing:v1")
    assert caught.value.pulling == (
        'failed to pull and unpack image "dev.local/missing:v1": failed to resolve reference'
        ' "dev.local/missing:v1": failed to do request: Head'
        ' "https://dev.local/v2/missing/manifests/v1": dial tcp: lookup dev.local:'
        " Temporary failure in name resolution"
    )
    with pytest.raises(ImageError) as caught:
        CATALOGUE.resolve("ghcr.io/nobody/none:v1")
    assert caught.value.resolving == (
        'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io on 10.96.0.10:53: no such host'
    )


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("busybux", "https://index.docker.io/v2/library/busybux/manifests/latest"),
        ("me/app:v2", "https://index.docker.io/v2/me/app/manifests/v2"),
        ("localhost:5001/a/b", "http://localhost:5001/v2/a/b/manifests/latest"),
        ("ghcr.io/x/y:1", "https://ghcr.io/v2/x/y/manifests/1"),
    ],
)
def test_names_are_read_as_docker_reads_them(image: str, url: str) -> None:
    with pytest.raises(ImageError) as caught:
        CATALOGUE.find(image)
    assert url in caught.value.pulling


def test_a_users_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "images:\n"
        "  - match: dev.local/hello:*\n"
        '    command: ["{here}/run.sh"]\n'
        "    env: {A: 1}\n"
        "    user: 65532\n"
    )
    image = Catalogue.load([file]).find("dev.local/hello:v1")
    expected = (f"{tmp_path}/run.sh",)
    assert (image.command, image.env, image.user) == (expected, {"A": "1"}, 65532)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected a list under the key `images`"),
        ("images: [{match: a, comand: [b]}]", r":1:21: .*unknown key 'comand'"),
        ("images: [{command: [b]}]", r"match: expected a pattern"),
        ("images: [{match: a}]", "exactly one of command, entry and builtin"),
        ("images: [{match: a, command: [b], entry: c}]", "exactly one of"),
        ("images: [{match: a, builtin: nope}]", "builtin: expected one of"),
        ("images: [{match: a, command: [b], user: root}]", "user: expected a number"),
        ("images: [7]", "expected a mapping"),
        ("{images: [], registries: {}}", "registries: expected a list of names"),
        ("{images: [], registries: [7]}", "registries: expected a list of names"),
        (
            "images: [{match: a, command: sh}]",
            r":1:21: images\[0\].command: expected a list, not 'sh'",
        ),
        ("images: [{match: a, command: [b], env: [c]}]", "env: expected a mapping"),
        ("images: [{match: a, command: [b], files: x}]", "files: expected a mapping of paths"),
        ("images: [{match: [1], command: [b]}]", "match: expected a pattern"),
        ("images:\n  - match: a\n    command: [b]\n    usr: 1\n", r":4:5: .*unknown key 'usr'"),
        ("images:\n  - match: a\n  - command: [b]\n", r":2:5: .*exactly one of command"),
        ("x: &x {images: [1]}\n<<: *x\n", r":1:1: images\[0\]: expected a mapping"),
        ("images: [{match: a, command: [b]}, 1]\nimages: [2]\n", r"images\[0\]: expected a map"),
        ("d: &d {usr: 1}\nimages: [{<<: *d, match: a, command: [b]}]", "unknown key 'usr'"),
        ("images: &a [*a]", r"images\[0\]: expected a mapping"),
        ("? [images]\n: []\n", r"unhashable key"),
        ("? &k {a: b}\n: 1\nimages: [1]", r"unhashable key"),
        ("--- {}\n--- {}\n", r":2:1: but found another document"),
        ("images: !!python/name:os.system", r"could not determine a constructor"),
        ("images: *nothing", r"found undefined alias"),
        ("<<: 1", r"expected a mapping or list of mappings for merging"),
        ("images: " + "[" * 600, r"nested too deeply|expected the node"),
        ("images: [{match: a, command: [b], user: true}]", "user: expected a number"),
        ("images: [", r":1:10: expected the node content"),
        ("images: [}", r":1:10: expected the node content"),
        ("images: \u0000", r"special characters are not allowed"),
    ],
)
def test_a_bad_file_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(CatalogueError, match=message) as caught:
        Catalogue.load([file])
    assert str(file) in str(caught.value)


def test_entries_may_share_what_they_have_in_common(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "base: &base {command: [/bin/own], env: {MODE: test}}\n"
        "images:\n  - {<<: *base, match: one}\n  - {<<: *base, match: two, env: {MODE: two}}\n"
    )
    catalogue = Catalogue.load([file])
    assert catalogue.find("one").env == {"MODE": "test"}
    assert catalogue.find("two").env == {"MODE": "two"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="No such file"):
        Catalogue.load([tmp_path / "absent.yaml"])


@given(st.text(min_size=1))
def test_a_name_outside_the_catalogue_is_refused(name: str) -> None:
    with pytest.raises(ImageError, match="no such host"):
        CATALOGUE.find(f"nowhere.example/{name}")


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        ("python:*", "python:3"),
        ("python:*", "docker.io/library/python:3"),
        ("me/app*", "docker.io/me/app:1"),
        ("ghcr.io/me/app:v1", "ghcr.io/me/app:v1"),
    ],
)
def test_an_image_is_found_again_by_the_digest_that_it_was_pinned_to(
    pattern: str, image: str
) -> None:
    catalogue = Catalogue([Image((pattern,), command=("true",))])
    name, _, _ = image.rpartition(":")
    found = catalogue.find(image)
    for registry in ("", "index.docker.io/"):
        assert catalogue.find(f"{registry}{name}@{catalogue.resolve(image)}") == found
