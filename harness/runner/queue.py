"""The inbox as a durable queue: one rename per step, one file lock per claimed contract.

A runner locks the contract file itself, then renames it to `_running/<run_id>.json`; the kernel
drops the lock when the runner dies, so a file in `_running` that nobody has locked is the rest
of a killed run. Renames need no fsync: after a power cut a contract may be one step back, and
the ledger (fsynced) keeps it from running twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from harness.contracts.forms import safe_name
from harness.runner.files import NotAFile, create_whole, open_regular, read_all
from harness.runner.lock import try_lock
from harness.runner.states import FOLDER_OF, Event, State, after

NAME = ".contract"
"""In a run's folder: how the contract's file was called, where the run is not called like it."""
_FOLDERS = sorted(filter(None, set(FOLDER_OF.values())))


@dataclass(slots=True)
class Claim:
    """A contract that this process has locked. Close it when its state is final."""

    name: str
    run_id: str
    path: Path
    state: State
    resumed: bool = False
    descriptor: int | None = None
    problem: str = ""

    def read(self, limit: int) -> bytes:
        """At most `limit` + 1 bytes of the contract, through the locked descriptor."""
        return b"" if self.descriptor is None else read_all(self.descriptor, limit)

    def close(self) -> None:
        """Give the lock back."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class Queue:
    """The inbox folder and the folders of its states; run folders are reserved in `reports`."""

    def __init__(self, *, inbox: Path, reports: Path) -> None:
        self._inbox = inbox
        self._reports = reports

    def pending(self) -> list[Path]:
        """The contracts that wait, in the order of their names."""
        try:
            with os.scandir(self._inbox) as entries:
                names = sorted(entry.name for entry in entries if _is_contract(entry))
        except FileNotFoundError:
            return []
        return [self._inbox / name for name in names]

    def submit(self, name: str, content: bytes) -> Path:
        """Put a contract into the inbox; the same content under the same name is one contract."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        stem = safe_name(name)
        for number in range(1, 10_000):
            path = self._inbox / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
            if create_whole(path, content):
                return path
        raise FileExistsError(f"{self._inbox}: too many contracts called {stem}")

    def free_name(self, name: str) -> str:
        """`name`, or with a number behind: one that no contract and no run here has had."""
        stem = safe_name(name)
        numbered = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return next(candidate for candidate in numbered if not self._known(candidate))

    def claim(self, path: Path, *, run_id: str | None = None) -> Claim | None:
        """Lock a waiting contract and move it to `_running`; None when another took it.

        The run is called `run_id`, or like the file; with a number behind when that is taken.
        What is no regular file is not opened but filed as refused, with `problem` set.
        """
        descriptor, problem = None, ""
        try:
            descriptor = open_regular(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = str(error)
        if descriptor is not None and not _is_ours(descriptor, path):
            os.close(descriptor)
            return None
        run_id = reserve(self._reports, run_id or path.stem, taken=self._filed)
        if run_id != path.stem:
            (self._reports / run_id / NAME).write_bytes(os.fsencode(path.name))
        claim = Claim(path.name, run_id, path, State.INBOX, False, descriptor, problem)
        # What cannot be opened cannot be locked either: one rename decides and ends it.
        return self._moved(claim, Event.REFUSE if problem else Event.CLAIM)

    def orphans(self) -> Iterator[Claim]:
        """Contracts that a killed runner left in `_running`, each locked for the caller."""
        folder = self._inbox / FOLDER_OF[State.RUNNING]
        for path in sorted(folder.glob("*.json")):
            if claim := self.orphan(path.stem):
                yield claim

    def orphan(self, run_id: str) -> Claim | None:
        """The contract that a killed run left behind, locked; None when there is none."""
        path = self._inbox / FOLDER_OF[State.RUNNING] / f"{safe_name(run_id)}.json"
        try:
            descriptor = open_regular(path)
        except (FileNotFoundError, NotAFile, PermissionError):
            return None
        if _is_ours(descriptor, path):
            name = self._name_of(path)
            return Claim(name, path.stem, path, State.CLAIMED, True, descriptor)
        os.close(descriptor)
        return None

    def advance(self, claim: Claim, event: Event) -> None:
        """Move a claimed contract to the state after `event`, by one rename."""
        state = after(claim.state, event)
        if FOLDER_OF[state] != FOLDER_OF[claim.state]:
            name = claim.name if state is State.INBOX else f"{claim.run_id}.json"
            folder = self._inbox / FOLDER_OF[state]
            try:
                claim.path = claim.path.rename(folder / name)
            except FileNotFoundError:
                folder.mkdir(parents=True, exist_ok=True)
                claim.path = claim.path.rename(folder / name)
        claim.state = state

    def _known(self, name: str) -> bool:
        waits = (self._inbox / f"{name}.json").exists()
        return waits or (self._reports / name).exists() or self._filed(name)

    def _filed(self, run_id: str) -> bool:
        """Whether a contract of this run lies in a folder of the inbox: its record may be gone."""
        return any(os.path.lexists(self._inbox / folder / f"{run_id}.json") for folder in _FOLDERS)

    def _name_of(self, path: Path) -> str:
        """How a contract in `_running` was called when it came; ids may come from that."""
        try:
            return os.fsdecode((self._reports / path.stem / NAME).read_bytes())
        except FileNotFoundError:
            return path.name

    def _moved(self, claim: Claim, event: Event) -> Claim | None:
        try:
            self.advance(claim, event)
        except FileNotFoundError:
            claim.close()
            (self._reports / claim.run_id / NAME).unlink(missing_ok=True)
            (self._reports / claim.run_id).rmdir()
            return None
        return claim


def reserve(reports: Path, name: str, *, taken: Callable[[str], bool] = lambda _: False) -> str:
    """Make a new folder below `reports` and return its name: `name`, or with a number behind
    when there is such a folder or the name is `taken`."""
    stem = safe_name(name)
    for number in range(1, 1_000_000):
        run_id = stem if number == 1 else f"{stem}-{number}"
        if taken(run_id):
            continue
        try:
            (reports / run_id).mkdir(parents=True)
        except FileExistsError:
            continue
        return run_id
    raise FileExistsError(f"{reports}: too many runs called {stem}")


def _is_contract(entry: os.DirEntry[str]) -> bool:
    if not entry.name.endswith(".json") or entry.name.startswith("."):
        return False
    return not entry.is_dir(follow_symlinks=False)


def _is_ours(descriptor: int, path: Path) -> bool:
    """Lock the file; True when it is still the file at `path`."""
    if not try_lock(descriptor):
        return False
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
