"""``python -I -S agent.pyz PLAN [--parent PID]``: run a plan and write samples as JSON lines.

PLAN is a path, or ``-`` for standard input. With ``--parent`` the run ends early when that process
is no longer the one that this one belongs to: nobody would read what is left.

Exit codes: 0 the plan was run (whatever the targets did), 2 bad usage or bad plan, 4 the prober
could not run or was left alone, 130 and 143 ended by SIGINT and SIGTERM, with a summary of what
was seen.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import Iterator, TextIO

from .dnsclient import system_servers
from .output import Writer, start_of
from .plan import Plan
from .planfile import PlanError, parse_plan
from .session import Session, SetupError

OK, BAD_PLAN, PROBER_ERROR = 0, 2, 4


def main(arguments: list[str]) -> int:
    """Run the plan that `arguments` name; returns the exit code."""
    source, parent = arguments[:1], arguments[1:]
    if not source or source[0] in ("-h", "--help") or not _is_parent_option(parent):
        _complain(__doc__)
        return OK if source and source[0] in ("-h", "--help") else BAD_PLAN
    try:
        plan = parse_plan(_read(source[0]))
    except PlanError as error:
        _complain(error)
        return BAD_PLAN
    except (OSError, UnicodeDecodeError) as error:
        _complain(f"cannot read the plan {arguments[0]}: {error}")
        return BAD_PLAN
    try:
        with _output(plan) as file:
            return run(plan, file, parent=int(parent[1]) if parent else None)
    except SetupError as error:
        _complain(error)
        return BAD_PLAN
    except OSError as error:
        _complain(f"cannot run: {error}")
        return PROBER_ERROR


def run(plan: Plan, file: TextIO, *, parent: int | None = None) -> int:
    """Run `plan`, writing to `file`, for the process `parent`; returns the exit code."""
    writer = Writer(file, plan.samples)
    session = Session(
        plan,
        write=writer.sample,
        flush=writer.flush,
        wanted=lambda: parent is None or os.getppid() == parent,
        resolvers=system_servers(),
    )
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        session.stop()

    signal.set_wakeup_fd(session.wake_fd, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    raise_file_limit()
    # What was set up stays: the collector need not look through it again during the run.
    gc.collect()
    if hasattr(gc, "freeze"):  # CPython only.
        gc.freeze()
    writer.start(start_of(plan, session.clock))
    summary = session.run()
    writer.summary(summary)
    if summary.ended == "completed":
        return OK
    return 128 + received[0] if received else PROBER_ERROR


def _is_parent_option(arguments: list[str]) -> bool:
    return not arguments or (
        len(arguments) == 2 and arguments[0] == "--parent" and arguments[1].isdecimal()
    )


def raise_file_limit() -> None:
    """Allow as many open files as the system lets this process have."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _complain(problem: object) -> None:
    sys.stderr.write(f"{problem}\n")


def _read(path: str) -> str:
    if path == "-":
        return sys.stdin.read()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
        return file.read()


@contextlib.contextmanager
def _output(plan: Plan) -> Iterator[TextIO]:
    if plan.output == "-":
        yield sys.stdout
    else:
        with open(plan.output, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
            yield file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
