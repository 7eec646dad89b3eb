"""Commands of other programs: what they are given and what is kept of what they say."""

from __future__ import annotations

import resource
import sys

from infra.clusters.command import run_command


def test_a_persons_kubectl_preferences_do_not_reach_a_command() -> None:
    show = "import os; print(os.environ['KUBERC'], os.environ['KUBECTL_KUBERC'])"
    done = run_command([sys.executable, "-c", show], timeout=30)
    assert (done.exit_code, done.stdout) == (0, "off false\n")


def test_output_is_bounded_and_says_so() -> None:
    done = run_command([sys.executable, "-c", "print('x' * 1_000_000)"], timeout=30)
    assert done.truncated
    assert set(done.stdout) == {"x"}


def test_output_without_end_does_not_fill_our_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = run_command(["head", "-c", "600000000", "/dev/zero"], timeout=120)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (done.exit_code, done.truncated) == (0, True)
    assert (after - before) * 1024 < 100_000_000


def test_what_a_command_is_given_arrives() -> None:
    text = b"x" * 300_000  # more than a pipe holds
    done = run_command([sys.executable, "-c", "print(len(input()))"], timeout=60, stdin=text)
    assert done.stdout == "300000\n"


def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    # The child keeps the output open: were it left alive, the command would not end.
    script = "import subprocess; subprocess.run(['sleep', '60'])"
    done = run_command([sys.executable, "-c", script], timeout=0.5)
    assert done.timed_out
    assert done.seconds < 30
