"""The errors of the product.

    VpmError
    ├── UsageError              bad usage or a bad file: exit code 2
    │   └── SpecError           all problems of what a person wrote, each with its place
    └── EnvironmentProblem      the check could not run: exit code 4
        ├── NotWritten          a file of a run cannot be written
        ├── ClusterError        a cluster cannot be created, reached or used
        ├── CommandError        a tool is missing or could not be run
        └── ProbeError          a vantage could not send its probes

Everything raised across a package boundary derives from VpmError; foreign exceptions are
chained with `from` where they enter.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.spec.problem import Problem as Problem
from harness.spec.words import ExitCode


class VpmError(Exception):
    """An error with a message for a person and a mend, where one is known."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, *, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n  mend: {self.mend}" if self.mend else self.message


class UsageError(VpmError):
    """Something the caller gave is wrong: an option, a path, a file."""

    exit_code = ExitCode.USAGE


class SpecError(UsageError):
    """Every problem of one or more files, in the order of their places."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EnvironmentProblem(VpmError):
    """The check itself could not run; says nothing about the service."""


class NotWritten(EnvironmentProblem):
    """A file of a run cannot be written, for example to a disk that is full."""

    def __init__(self, path: object, error: OSError) -> None:
        super().__init__(
            f"{path} cannot be written: {error.strerror or error}",
            mend="make room there, or let this user write there; vpm evidence recover RUN "
            "completes a run that was cut off",
        )


class ClusterError(EnvironmentProblem):
    """A cluster cannot be created, reached or used."""


class CommandError(EnvironmentProblem):
    """A tool that is needed is missing or could not be run."""


class ProbeError(EnvironmentProblem):
    """A vantage could not send its probes."""
