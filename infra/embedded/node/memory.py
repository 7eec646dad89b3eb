"""Containers that use more memory than they may: looked for in /proc, without cgroups.

What counts is memory that is a container's own (anonymous and shared memory, in proportion where
processes share it), not the programs and libraries that it has mapped; and what an app that was
forked from the warm interpreter has inherited is not its own.  The look costs the node at most a
set share of one processor: with many containers it comes less often.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SHORTEST = 0.05  # seconds between looks
SHARE = 0.0025  # of one processor that looking may cost
CEILING = 0.25  # of the machine's memory, for a container that names no limit
_PAGE = os.sysconf("SC_PAGE_SIZE")
_OWN = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
_HOST_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # under /sys/fs/cgroup


@dataclass(frozen=True, slots=True)
class Entry:
    """What /proc says of one process; memory in bytes."""

    process: int
    parent: int
    session: int
    resident: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a container may use, and what it had when it was forked; both in bytes."""

    limit: int
    inherited: int = 0


def parse_stat(text: str) -> Entry:
    """One line of /proc/PID/stat; the name in brackets may contain anything."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Entry(
        process=int(head.split(" ", 1)[0]),
        parent=int(fields[1]),
        session=int(fields[3]),
        resident=int(fields[21]) * _PAGE,
    )


def trees(entries: Iterable[Entry], owners: Mapping[int, str]) -> dict[str, list[Entry]]:
    """The processes of each container, by descent or session from the processes in `owners`."""
    known = {entry.process: entry for entry in entries}
    found: dict[str, list[Entry]] = {}
    for entry in known.values():
        if owner := _owner(entry, known, owners):
            found.setdefault(owner, []).append(entry)
    return found


def _owner(entry: Entry, known: Mapping[int, Entry], owners: Mapping[int, str]) -> str:
    at: Entry | None = entry
    seen: set[int] = set()
    while at is not None and at.process not in seen:
        owner = owners.get(at.process) or owners.get(at.session)
        if owner:
            return owner
        seen.add(at.process)
        at = known.get(at.parent)
    return ""


def own_bytes(rollup: str) -> int:
    """The memory that is a process's own, from its smaps_rollup."""
    lines = (line.split() for line in rollup.splitlines())
    return sum(int(words[1]) * 1024 for words in lines if words and words[0] in _OWN)


def default_limit() -> int:
    """The ceiling for a container without a limit, in bytes."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE
    for name in _HOST_LIMITS:
        with suppress(OSError, ValueError):  # absent, or "max"
            machine = min(machine, int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii")))
    return int(machine * CEILING)


def own_here() -> int:
    """The memory of this process that is no file's, which a fork of it begins with; in bytes."""
    return _not_files("self")


class Watch:
    """The containers with their limits; `excess` finds those that use more."""

    def __init__(self) -> None:
        self._allowed: dict[str, Allowance] = {}
        self._owners: dict[int, str] = {}
        self._due = 0.0  # of time.monotonic
        # Where /proc is another process namespace's, its numbers mean other processes.
        self._readable = own_proc()

    @property
    def pause(self) -> float | None:
        """Seconds until the next look; None while there is nothing to look at."""
        if not self._allowed or not self._readable:
            return None
        return max(0.0, self._due - time.monotonic())

    def add(self, identity: str, process: int, allowance: Allowance) -> None:
        """A container has started."""
        self._allowed[identity] = allowance
        self._owners[process] = identity

    def join(self, identity: str, process: int) -> None:
        """A further process has entered a container."""
        self._owners[process] = identity

    def members(self, identity: str) -> list[int]:
        """The processes that were added to a container, or have joined it."""
        return [process for process, owner in self._owners.items() if owner == identity]

    def forget(self, process: int, identity: str) -> None:
        """A process that was added or that joined has ended."""
        self._owners.pop(process, None)
        self._allowed.pop(identity, None)

    def excess(self) -> dict[str, list[int]]:
        """The containers above their limit, each with its processes; none before it is time."""
        if self.pause != 0:
            return {}
        begin = time.thread_time()
        above = {
            identity: [entry.process for entry in tree]
            for identity, tree in trees(_entries(), self._owners).items()
            if identity in self._allowed and _exceeds(tree, self._allowed[identity])
        }
        cost = time.thread_time() - begin
        self._due = time.monotonic() + max(SHORTEST, cost / SHARE)
        return above


def _exceeds(tree: list[Entry], allowed: Allowance) -> bool:
    """The cheap upper bound first: most containers are far below their limit."""
    if sum(entry.resident for entry in tree) - allowed.inherited <= allowed.limit:
        return False
    return sum(_own(entry) for entry in tree) > allowed.limit


def _own(entry: Entry) -> int:
    """The memory that is a process's own; without smaps_rollup all that is not a file's."""
    try:
        return own_bytes(Path(f"/proc/{entry.process}/smaps_rollup").read_text(encoding="ascii"))
    except ProcessLookupError:
        return 0
    except OSError:
        pass
    return _not_files(str(entry.process))


def _not_files(name: str) -> int:
    try:
        fields = Path(f"/proc/{name}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE


def _entries() -> list[Entry]:
    with os.scandir("/proc") as found:
        names = [item.name for item in found if item.name.isdecimal()]
    return [entry for name in names if (entry := _entry(name)) is not None]


def _entry(name: str) -> Entry | None:
    """Read with as few system calls as there are: this is most of what a look costs."""
    try:
        file = os.open(f"/proc/{name}/stat", os.O_RDONLY)
    except OSError:
        return None  # it has ended
    try:
        return parse_stat(os.read(file, 1024).decode("utf-8", "replace"))
    except OSError:
        return None
    finally:
        os.close(file)


def own_proc() -> bool:
    """Whether /proc is of this process namespace."""
    try:
        return Path("/proc/self").readlink() == Path(str(os.getpid()))
    except OSError:
        return False
