"""Facts about manifests: what is really there, read once, without following links."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.contracts.model import digest
from harness.contracts.policy import parse_policy
from harness.runner.kubectl import KubectlProcess
from harness.runner.manifests import ManifestReader
from harness.timing.clock import SystemClock
from tests.support.runner import HELLO, OVERLAY, Desk, manifest, policy_document


@pytest.fixture
def reader(desk: Desk) -> ManifestReader:
    """A reader that builds kustomizations with the real kubectl."""
    policy = parse_policy(yaml.safe_dump(policy_document()).encode(), source="p")
    kubectl = KubectlProcess(kubeconfig=Path(os.devnull), context="none", clock=SystemClock())
    return ManifestReader(repo=desk.repo, policy=policy, kubectl=kubectl)


@pytest.fixture
def overlay(desk: Desk) -> Path:
    return desk.repo / OVERLAY


def test_the_bytes_and_what_they_hold(reader: ManifestReader, desk: Desk) -> None:
    read = reader.read(HELLO)
    content = (desk.repo / HELLO).read_bytes()

    assert read.content == content
    assert (read.facts.real, read.facts.digest, read.facts.size) == (
        HELLO,
        digest(content),
        len(content),
    )
    assert [found.name for found in read.facts.objects] == ["hello"]
    assert read.facts.problem == ""


def test_a_link_inside_the_overlay_is_followed_to_its_real_path(
    reader: ManifestReader, overlay: Path
) -> None:
    (overlay / "link.yaml").symlink_to("hello-ksvc.yaml")
    assert reader.read(f"{OVERLAY}/link.yaml").facts.real == HELLO


@pytest.mark.parametrize(
    ("target", "real"),
    [("../prod.yaml", "infra/k8s/overlays/prod.yaml"), ("/etc/passwd", ""), ("/proc/self", "")],
)
def test_a_link_out_of_the_overlay_is_not_opened(
    reader: ManifestReader, overlay: Path, target: str, real: str
) -> None:
    (overlay.parent / "prod.yaml").write_text(manifest())
    (overlay / "link.yaml").symlink_to(target)
    read = reader.read(f"{OVERLAY}/link.yaml")
    assert (read.facts.real, read.facts.objects, read.content) == (real, (), b"")


def test_a_linked_folder_leads_where_it_leads(reader: ManifestReader, overlay: Path) -> None:
    elsewhere = overlay.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.yaml").write_text(manifest())
    (overlay / "sub").symlink_to(elsewhere)
    assert reader.read(f"{OVERLAY}/sub/x.yaml").facts.real == "infra/k8s/elsewhere/x.yaml"


@pytest.mark.parametrize("declared", ["../x", f"{OVERLAY}/../dev/hello-ksvc.yaml", "/etc/passwd"])
def test_dots_and_roots_are_not_even_looked_at(reader: ManifestReader, declared: str) -> None:
    assert reader.read(declared).facts.problem == "written with .. or from the root"


def test_what_is_not_there(reader: ManifestReader) -> None:
    assert reader.read(f"{OVERLAY}/none.yaml").facts.problem == "No such file or directory"


def test_a_pipe_is_not_waited_for(reader: ManifestReader, overlay: Path) -> None:
    os.mkfifo(overlay / "pipe.yaml")
    assert "not a regular file" in reader.read(f"{OVERLAY}/pipe.yaml").facts.problem


def test_a_link_loop(reader: ManifestReader, overlay: Path) -> None:
    (overlay / "loop.yaml").symlink_to("loop.yaml")
    assert reader.read(f"{OVERLAY}/loop.yaml").facts.problem


def test_a_large_file_is_not_kept(reader: ManifestReader, overlay: Path) -> None:
    (overlay / "large.yaml").write_bytes(b"#" * 300_000)
    read = reader.read(f"{OVERLAY}/large.yaml")
    assert (read.facts.problem, read.content) == ("larger than 262144 bytes", b"")


def kustomization(folder: Path, **content: Any) -> None:
    """A kustomization file in a new or existing folder."""
    folder.mkdir(exist_ok=True)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))


def test_a_kustomization_is_built_and_judged_by_its_output(
    reader: ManifestReader, overlay: Path
) -> None:
    kustomization(
        overlay,
        resources=["hello-ksvc.yaml", "metrics-echo-ksvc.yaml"],
        commonAnnotations={"from": "test"},
    )
    read = reader.read(OVERLAY)

    assert read.facts.kustomized
    assert [found.name for found in read.facts.objects] == ["hello", "metrics-echo"]
    assert read.facts.digest == digest(read.content)
    assert b"from: test" in read.content


def test_a_kustomization_may_use_a_folder_of_its_overlay(
    reader: ManifestReader, overlay: Path
) -> None:
    kustomization(overlay / "base", resources=["x.yaml"])
    (overlay / "base" / "x.yaml").write_text(manifest("x"))
    kustomization(overlay / "top", resources=["../base"])
    facts = reader.read(f"{OVERLAY}/top").facts
    assert [found.name for found in facts.objects] == ["x"]


@pytest.mark.parametrize(
    "source",
    [
        "https://example.com/x.yaml",
        "github.com/owner/repo?ref=main",
        "git@github.com:owner/repo",
        "../../outside",
        "missing.yaml",
    ],
)
def test_sources_from_elsewhere_are_named_and_not_built(
    reader: ManifestReader, overlay: Path, source: str
) -> None:
    outside = overlay.parent.parent / "outside"
    outside.mkdir()
    kustomization(overlay, resources=["hello-ksvc.yaml", source])
    read = reader.read(OVERLAY)
    assert (read.facts.remote, read.content) == ((source,), b"")


@pytest.mark.parametrize(
    "source",
    [
        "https://127.0.0.1:9/x",
        "https://127.0.0.1:9/x/x.yaml",
        "http:/127.0.0.1:9/x",
        "file:///tmp/x",
        "git::x",
        "git@host/x",
        "host:x",
        "github.com/owner/repo",
        "GitHub.com/owner/repo",
        "x//y",
        "x?ref=main",
    ],
)
def test_a_local_folder_does_not_make_a_remote_source_local(
    reader: ManifestReader, overlay: Path, source: str
) -> None:
    """kustomize asks the network for these although a folder of that name is there."""
    path = overlay / source
    (path if path.suffix != ".yaml" else path.parent).mkdir(parents=True, exist_ok=True)
    if path.suffix == ".yaml":
        path.write_text(manifest())
    else:
        kustomization(path, resources=["x.yaml"])
        (path / "x.yaml").write_text(manifest("x"))
    kustomization(overlay, resources=[source])
    read = reader.read(OVERLAY)
    assert (read.facts.remote, read.content) == ((source,), b"")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"resources": "x"}, "a list is wanted"),
        ({"resources": [1]}, "a source is a int"),
        ({"helmCharts": []}, "helmCharts is not allowed"),
        ({"secretGenerator": []}, "secretGenerator is not allowed"),
        ({"generators": ["x"]}, "generators is not allowed"),
        ({"patches": [{"path": "missing.yaml"}]}, ""),
    ],
)
def test_what_a_kustomization_may_not_use(
    reader: ManifestReader, overlay: Path, content: dict[str, Any], said: str
) -> None:
    kustomization(overlay, **content)
    facts = reader.read(OVERLAY).facts
    assert said in facts.problem
    assert facts.objects == ()


def test_a_link_in_a_kustomized_overlay_is_refused(reader: ManifestReader, overlay: Path) -> None:
    kustomization(overlay, resources=["hello-ksvc.yaml"])
    (overlay / "link.yaml").symlink_to("/etc/passwd")
    assert reader.read(OVERLAY).facts.problem == "the overlay holds a link: link.yaml"


def test_a_built_manifest_with_a_secret_in_it_is_not_used(
    reader: ManifestReader, overlay: Path
) -> None:
    text = manifest().replace("value: World", "value: 'password=0123456789'")
    (overlay / "hello-ksvc.yaml").write_text(text)
    kustomization(overlay, resources=["hello-ksvc.yaml"])
    read = reader.read(OVERLAY)
    assert (read.facts.problem, read.content) == ("it holds what looks like a secret", b"")


def test_a_folder_without_kustomization(reader: ManifestReader, overlay: Path) -> None:
    (overlay / "sub").mkdir()
    assert "no kustomization" in reader.read(f"{OVERLAY}/sub").facts.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "kustomization.yaml:"),
        ("- a", "one mapping is wanted"),
        ("a: 1\n---\nb: 1\n", "one mapping is wanted"),
        ("resources: [x]\nresources: [y]\n", "appears twice"),
    ],
)
def test_a_kustomization_that_cannot_be_read(
    reader: ManifestReader, overlay: Path, text: str, said: str
) -> None:
    (overlay / "kustomization.yaml").write_text(text)
    assert said in reader.read(OVERLAY).facts.problem


def test_folders_that_name_each_other_end_somewhere(reader: ManifestReader, overlay: Path) -> None:
    kustomization(overlay / "a", resources=["../b"])
    kustomization(overlay / "b", resources=["../a"])
    assert "kustomize failed" in reader.read(f"{OVERLAY}/a").facts.problem


def test_a_long_chain_of_folders_is_refused(reader: ManifestReader, overlay: Path) -> None:
    for number in range(25):
        kustomization(overlay / f"f{number}", resources=[f"../f{number + 1}"])
    kustomization(overlay / "f25", resources=[])
    assert reader.read(f"{OVERLAY}/f0").facts.problem == "more than 20 folders"


def test_a_patch_file_is_a_source(reader: ManifestReader, overlay: Path) -> None:
    patch = {"spec": {"template": {"spec": {"timeoutSeconds": 7}}}}
    target = {"kind": "Service", "name": "hello"}
    (overlay / "patch.yaml").write_text(
        yaml.safe_dump({**yaml.safe_load(manifest()), **patch, "metadata": {"name": "hello"}})
    )
    kustomization(
        overlay, resources=["hello-ksvc.yaml"], patches=[{"path": "patch.yaml", "target": target}]
    )
    read = reader.read(OVERLAY)
    assert read.facts.problem == ""
    assert b"timeoutSeconds: 7" in read.content
