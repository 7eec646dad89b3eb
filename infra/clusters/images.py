"""Images for clusters that pull nothing: built or collected here, side-loaded into the nodes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from harness.ports import CommandResult
from infra.clusters.command import find_program, run_command
from infra.clusters.engine import ENGINE
from infra.clusters.kind_cli import explain
from infra.knative.catalogue import version_tuple

METRICS_ECHO: Final = "dev.local/metrics-echo"
"""Names of dev.local are exempt from Knative's resolution of tags to digests."""

_TIMEOUT: Final = 900.0
_QUESTION_TIMEOUT: Final = 30.0
_SERVER: Final = "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}"
_SAVES_PLATFORMS: Final = (28,)
_ENVIRONMENT: Final = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""An attestation is a second manifest beside the image, which nodes cannot import."""
_CONTEXT: Final = ("__init__.py", "services/__init__.py", "services/http1.py")


@dataclass(frozen=True, slots=True)
class Docker:
    """One docker client."""

    program: Path

    @classmethod
    def on_path(cls) -> Docker:
        """The one on PATH.

        Errors:
            ToolMissing: there is none.
        """
        return cls(find_program(ENGINE))

    def image_id(self, image: str) -> str:
        """The image's id in the engine, a digest; empty when the engine does not have it."""
        argv = [str(self.program), "image", "inspect", "--format={{.Id}}", image]
        result = run_command(argv, timeout=_QUESTION_TIMEOUT)
        return result.stdout.strip() if result.exit_code == 0 else ""

    def has(self, image: str) -> bool:
        """Whether the engine has the image."""
        return bool(self.image_id(image))

    def build(self, context: Path, dockerfile: Path, tags: Sequence[str]) -> None:
        """Build an image and give it all the tags."""
        named = [f"--tag={tag}" for tag in tags]
        self._checked("build", *named, f"--file={dockerfile}", str(context))

    def pull(self, image: str) -> None:
        """Fetch an image."""
        self._checked("pull", image)

    def tag(self, image: str, other: str) -> None:
        """Give an image another name."""
        self._checked("tag", image, other)

    def save(self, images: Sequence[str], archive: Path) -> None:
        """Write images into an archive, for this engine's platform only.

        With containerd as its image store, an engine has the index of all platforms and the
        content of one: an archive of the whole cannot be imported into a node.
        """
        self._checked("save", *self._platform(), f"--output={archive}", *images)

    def load(self, archive: Path) -> None:
        """Take the images of an archive into the engine."""
        self._checked("load", f"--input={archive}")

    def copy_out(self, container: str, path: str, target: Path) -> bool:
        """Copy a file out of a container, running or not; whether there was one."""
        argv = [str(self.program), "cp", f"{container}:{path}", str(target)]
        return run_command(argv, timeout=_QUESTION_TIMEOUT).exit_code == 0

    def status(self, container: str) -> str:
        """`running`, `exited`, ... as the engine says; empty when there is no such container."""
        argv = [str(self.program), "inspect", "--format={{.State.Status}}", container]
        result = run_command(argv, timeout=_QUESTION_TIMEOUT)
        return result.stdout.strip() if result.exit_code == 0 else ""

    def _platform(self) -> tuple[str, ...]:
        argv = [str(self.program), "version", f"--format={_SERVER}"]
        said = run_command(argv, timeout=_QUESTION_TIMEOUT).stdout.strip()
        version, _, platform = said.partition(" ")
        return (f"--platform={platform}",) if version_tuple(version) >= _SAVES_PLATFORMS else ()

    def _checked(self, *arguments: str) -> CommandResult:
        result = run_command(
            [str(self.program), *arguments], timeout=_TIMEOUT, environment=_ENVIRONMENT
        )
        if result.exit_code != 0:
            raise explain(result, f"docker {arguments[0]} failed")
        return result


def build_metrics_echo(docker: Docker) -> tuple[str, str]:
    """Build metrics-echo unless the engine has just this one.

    Returns its two names: `:dev`, which the manifests use, and `:<digest of its sources>`,
    which evidence can tell apart.
    """
    with tempfile.TemporaryDirectory(prefix="vpm-image-") as folder:
        context = Path(folder)
        digest = _write_context(context)
        names = (f"{METRICS_ECHO}:dev", f"{METRICS_ECHO}:{digest}")
        if not docker.has(names[1]):
            dockerfile = context / "infra" / "services" / "metrics_echo" / "Dockerfile"
            docker.build(context, dockerfile, names)
        return names


def _write_context(context: Path) -> str:
    """Copy what the Dockerfile needs, and nothing else; returns a digest of it."""
    target = context / "infra"
    with as_file(files("infra")) as package:
        for name in _CONTEXT:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package / name, target / name)
        service = Path("services") / "metrics_echo"
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(package / service, target / service, ignore=ignored)
    whole = hashlib.sha256()
    for path in sorted(target.rglob("*")):
        if path.is_file():
            whole.update(f"{path.relative_to(context)}\0{path.stat().st_size}\0".encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()[:12]
