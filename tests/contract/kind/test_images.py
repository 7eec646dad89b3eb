"""Images and bundles, with a docker that rejects what is not in its transcript."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from infra.clusters.command import run_command
from infra.clusters.errors import EngineUnavailable, ImageUnavailable, NodeNotReady
from infra.clusters.images import Docker, build_metrics_echo
from infra.clusters.kind_cli import explain
from infra.clusters.state import ClusterFolder
from infra.knative.bundle import (
    IMAGE_MAP,
    bundle_folder,
    check_bundle,
    create_bundle,
    local_name,
    open_bundle,
)
from infra.knative.catalogue import load_catalogue
from infra.knative.digests import DigestMismatch, sha256_file
from infra.knative.manifests import ManifestSource, read_image_map
from tests.support.fake_install import write_manifests
from tests.support.kind_machine import Machine
from tests.support.standin import Call, calls, install

ABSENT = Call(
    ("image", "inspect", "--format={{.Id}}", "{image}"),
    stderr="Error: No such image: x\n",
    exit=1,
    when="",
)
PRESENT = Call(("image", "inspect", "--format={{.Id}}", "{image}"), stdout="sha256:1\n")
BUILD = Call(
    ("build", "--tag=dev.local/metrics-echo:dev", "--tag=dev.local/metrics-echo:{digest}",
     "--file={folder}/infra/services/metrics_echo/Dockerfile", "{context}"),
    then="built",
)  # fmt: skip
NODE_IMAGE = "kindest/node:v1.33.1@sha256:" + "a" * 64
SERVER = "--format={{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}"
ARM = "--platform=linux/arm64"
LOAD = Call(("load", "docker-image", "--name", "vpm-mini", "dev.local/metrics-echo:{tag}"))


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(install(tmp_path / "docker-bin", "docker", [ABSENT, PRESENT, BUILD]))


def test_metrics_echo_is_built_once(docker: Docker, tmp_path: Path) -> None:
    first = build_metrics_echo(docker)
    assert first[0] == "dev.local/metrics-echo:dev"
    assert build_metrics_echo(docker) == first
    verbs = [call[0] for call in calls(tmp_path / "docker-bin", "docker")]
    assert verbs == ["image", "build", "image"]


@pytest.mark.parametrize(
    ("stderr", "error"),
    [
        ("ERROR: Cannot connect to the Docker daemon\n", EngineUnavailable),
        ("ERROR: failed to pull image: toomanyrequests: rate limit\n", ImageUnavailable),
    ],
)
def test_a_build_that_fails_is_named(tmp_path: Path, stderr: str, error: type[Exception]) -> None:
    failing = Call(BUILD.args, stderr=stderr, exit=1)
    program = install(tmp_path / "bin", "docker", [ABSENT, failing])
    with pytest.raises(error):
        build_metrics_echo(Docker(program))


def test_the_node_gets_the_image_once(machine: Machine, docker: Docker) -> None:
    with machine.driver(transcript=[LOAD], docker=docker).open(machine.request()) as cluster:
        pass
    loaded = [call for call in machine.kind_calls if call[0] == "load"]
    assert [call[-1].endswith(":dev") for call in loaded] == [True, False]
    record = ClusterFolder.of("kind", "vpm-mini", home=machine.folder / "home").record()
    assert record is not None
    assert record.details["metrics_echo"] == loaded[1][-1]
    assert cluster.identity.details["metrics_echo"] == loaded[1][-1]
    with machine.driver(transcript=[LOAD], docker=docker).open(machine.request()):
        pass
    assert len([call for call in machine.kind_calls if call[0] == "load"]) == 2


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (
            "gcr.io/knative-releases/knative.dev/serving/cmd/queue@sha256:aa",
            "dev.local/knative-releases-knative.dev-serving-cmd-queue:1.18",
        ),
        ("docker.io/envoyproxy/envoy:v1.34", "dev.local/envoyproxy-envoy:1.18"),
        ("localhost:5000/a/b:c", "dev.local/a-b:1.18"),
        ("plain", "dev.local/plain:1.18"),
    ],
)
def test_names_in_a_bundle(image: str, name: str) -> None:
    assert local_name(image, "1.18") == name


@given(st.from_regex(r"[a-z0-9]{1,5}(\.[a-z]{2})?(/[a-z0-9_.-]{1,8}){0,3}", fullmatch=True))
def test_names_in_a_bundle_are_never_resolved_by_knative(image: str) -> None:
    assert local_name(image, "1.18").startswith("dev.local/")


def source(tmp_path: Path) -> ManifestSource:
    folder = write_manifests(tmp_path / "manifests")
    return ManifestSource(load_catalogue().release("1.18"), folder=folder)


def test_a_bundle_is_written_and_read_back(tmp_path: Path) -> None:
    docker = Docker(
        install(
            tmp_path / "bin",
            "docker",
            [
                PRESENT,
                Call(("tag", "{image}", "dev.local/{name}:1.18")),
                Call(("version", SERVER), stdout="29.1.0 linux/arm64\n"),
                Call(("tag", NODE_IMAGE, "kindest/node:v1.33.1")),
                Call(("save", ARM, "--output={file}/images.tar", *["{image}"] * 5)),
                Call(("save", ARM, "--output={file}/node.tar", "kindest/node:v1.33.1")),
            ],
        )
    )
    program = tmp_path / "kind"
    program.write_text("#!/bin/sh\n")
    output = tmp_path / "out" / "bundle.tar"
    create_bundle(
        output,
        source(tmp_path),
        docker=docker,
        images=["hello"],
        node_image=NODE_IMAGE,
        programs=[program],
    )
    index = open_bundle(output, tmp_path / "in")
    assert index.knative == "1.18"
    assert {"serving-crds.yaml", "serving-core.yaml", "kourier.yaml", IMAGE_MAP, "bin/kind"} <= set(
        index.files
    )
    assert index.node_image == "kindest/node:v1.33.1"
    assert index.images["hello"] == index.images["kindest/node:v1.33.1"] == "sha256:1"
    mapped = read_image_map(tmp_path / "in" / IMAGE_MAP)
    assert set(mapped.values()) == {
        f"dev.local/knative-releases-knative.dev-serving-cmd-{name}:1.18"
        for name in ("activator", "autoscaler", "controller", "webhook")
    }


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("28.0.0 linux/amd64\n", ["--platform=linux/amd64"]),
        ("27.5.1 linux/amd64\n", []),
        ("", []),
    ],
)
def test_an_archive_is_of_one_platform_where_the_engine_can_do_that(
    tmp_path: Path, said: str, option: list[str]
) -> None:
    save = Call(("save", *option, "--output={file}", "a", "b"))
    program = install(tmp_path, "docker", [Call(("version", SERVER), stdout=said), save])
    Docker(program).save(["a", "b"], tmp_path / "images.tar")
    assert calls(tmp_path, "docker")[-1][0] == "save"


def test_a_bundles_node_image_is_used_by_its_tag(machine: Machine) -> None:
    manifests = write_manifests(machine.folder / "manifests")
    (manifests / "node.tar").write_bytes(b"node")
    files = {path.name: sha256_file(path) for path in manifests.iterdir()}
    index = {"knative": "1.18", "files": files, "node_image": "kindest/node:v1.33.1"}
    (manifests / "bundle.json").write_text(json.dumps(index))
    load = Call(("load", f"--input={manifests}/node.tar"), then="loaded")
    absent = Call(("image", "inspect", "--format={{.Id}}", "kindest/{node}"), exit=1, when="")
    docker = Docker(install(machine.folder / "docker-bin", "docker", [absent, load, PRESENT]))
    create = next(call for call in machine.transcript if call.args[0] == "create")
    plain = tuple(a.partition("@")[0] for a in create.args)
    driver = machine.driver(transcript=[replace(create, args=plain), LOAD], docker=docker)
    with driver.open(machine.request()) as cluster:
        assert cluster.identity.details["node_image"] == "kindest/node:v1.33.1"
    assert ["load", f"--input={manifests}/node.tar"] in calls(
        machine.folder / "docker-bin", "docker"
    )


def test_a_changed_file_of_a_bundle_is_found(tmp_path: Path) -> None:
    output = tmp_path / "bundle.tar"
    create_bundle(output, source(tmp_path), docker=None)
    open_bundle(output, tmp_path / "in")
    (tmp_path / "in" / "kourier.yaml").write_text("kind: Evil\n")
    with pytest.raises(DigestMismatch, match=r"kourier\.yaml was changed"):
        check_bundle(tmp_path / "in")
    (tmp_path / "in" / "kourier.yaml").write_bytes(
        (tmp_path / "manifests" / "kourier.yaml").read_bytes()
    )
    (tmp_path / "in" / IMAGE_MAP).write_text("a/b: evil.example/b\n")
    with pytest.raises(DigestMismatch, match=r"image-map\.yaml was added"):
        check_bundle(tmp_path / "in")
    (tmp_path / "in" / IMAGE_MAP).unlink()
    check_bundle(tmp_path / "in")
    (tmp_path / "in" / "kourier.yaml").unlink()
    with pytest.raises(UsageError, match="not a whole bundle"):
        check_bundle(tmp_path / "in")


def test_a_bundle_file_is_unpacked_once_and_used_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    output = tmp_path / "bundle.tar"
    create_bundle(output, source(tmp_path), docker=None)
    folder = bundle_folder(output)
    assert bundle_folder(output) == folder
    assert bundle_folder(folder) == folder
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    (folder / "kourier.yaml").write_text("kind: Evil\n")
    with pytest.raises(DigestMismatch):
        bundle_folder(output)
    own = tmp_path / "manifests"
    assert bundle_folder(own) == own
    with pytest.raises(UsageError, match="there is no bundle"):
        bundle_folder(tmp_path / "nothing")


def test_what_is_no_bundle(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar"
    file.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="is not a bundle"):
        open_bundle(file, tmp_path / "in")


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("a/../../outside", tarfile.REGTYPE, ""),
        ("{folder}/outside", tarfile.REGTYPE, ""),
        ("kourier.yaml", tarfile.SYMTYPE, "../outside"),
        ("kourier.yaml", tarfile.LNKTYPE, "../outside"),
        ("bundle.json", tarfile.FIFOTYPE, ""),
    ],
)
def test_a_bundle_holds_plain_files_below_its_folder(
    name: str, kind: bytes, link: str, tmp_path: Path
) -> None:
    member = tarfile.TarInfo(name.format(folder=tmp_path))
    member.type, member.linkname = kind, link
    with tarfile.open(tmp_path / "bundle.tar", "w") as archive:
        archive.addfile(member)
    with pytest.raises(UsageError, match="is not a plain file below the bundle's folder"):
        open_bundle(tmp_path / "bundle.tar", tmp_path / "in")
    assert not (tmp_path / "outside").exists()
    assert not [path for path in (tmp_path / "in").iterdir() if path.is_symlink()]


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    program = install(tmp_path, "kind", [Call(("create",), seconds=60)])
    result = run_command([str(program), "create"], timeout=0.5)
    assert result.timed_out
    assert result.seconds < 30
    assert isinstance(explain(result, "kind create"), NodeNotReady)
