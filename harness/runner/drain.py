"""Working through the inbox: one bad contract never stops the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.contracts.paths import shown
from harness.core.errors import VpmError
from harness.core.observation import ContractObserved
from harness.core.verdict import ExitCode
from harness.runner.runner import Runner


@dataclass(frozen=True, slots=True)
class Trouble:
    """A contract that could not be brought to an end; it stays where a later drain finds it."""

    name: str
    message: str
    exit_code: ExitCode = ExitCode.ERROR


@dataclass(frozen=True, slots=True)
class Drained:
    """What one pass over the inbox did."""

    observed: tuple[ContractObserved, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def trouble(name: str, error: VpmError | OSError) -> Trouble:
    """What an error over one contract means for whoever asked for it."""
    code = error.exit_code if isinstance(error, VpmError) else ExitCode.ERROR
    # Errors of files name them, and whoever tells of a trouble does.
    return Trouble(shown(name), str(error).removeprefix(f"{name}: "), code)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the midst of a contract, which stays in _running for the next runner."""


def drain(
    runner: Runner, *, tell: Callable[[ContractObserved | Trouble], None], patience: float = 0.0
) -> Drained:
    """Settle every contract that waits, one by one; `tell` hears of each as it ends. One that is
    still being written is left for `patience` seconds.

    Errors:
        Interrupted: Ctrl-C while a contract, which it names, was worked on.
    """
    observed: list[ContractObserved] = []
    troubles: list[Trouble] = []
    try:
        for claim in runner.claims(patience=patience):
            try:
                observed.append(runner.settle(claim))
            except (VpmError, OSError) as error:
                # The claim stays where it is, unlocked: the next drain goes on with it.
                troubles.append(trouble(claim.name, error))
            except KeyboardInterrupt as error:
                raise Interrupted(shown(claim.name)) from error
            else:
                tell(observed[-1])
    except OSError as error:
        troubles.append(trouble(str(error.filename or "the inbox"), error))
    for found in troubles:
        tell(found)
    return Drained(tuple(observed), tuple(troubles))


def preview_all(
    runner: Runner, *, tell: Callable[[ContractObserved | Trouble], None], patience: float = 0.0
) -> Drained:
    """Preview every contract that waits; nothing is moved. `patience` as for `drain`."""
    observed: list[ContractObserved] = []
    troubles: list[Trouble] = []
    for path in runner.pending(patience=patience):
        try:
            observed.append(runner.preview(path))
            tell(observed[-1])
        except (VpmError, OSError) as error:
            troubles.append(trouble(path.name, error))
            tell(troubles[-1])
    return Drained(tuple(observed), tuple(troubles))
