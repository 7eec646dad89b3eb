"""Working through the inbox: one bad contract never stops the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.contracts.paths import shown
from harness.core.errors import VpmError
from harness.core.observation import ContractObserved
from harness.core.verdict import ExitCode
from harness.runner.lock import Busy
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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the midst of a contract, which stays in _running for the next runner."""


def drain(runner: Runner, *, tell: Callable[[ContractObserved | Trouble], None]) -> Drained:
    """Settle every contract that waits, one by one; `tell` hears of each as it ends.

    Errors:
        Interrupted: Ctrl-C while a contract, which it names, was worked on.
    """
    observed: list[ContractObserved] = []
    troubles: list[Trouble] = []
    for claim in runner.claims():
        try:
            news = runner.settle(claim)
        except Busy as error:
            troubles.append(Trouble(shown(claim.name), error.message))
        except (VpmError, OSError) as error:
            # The claim stays in _running, unlocked: the next drain goes on with it.
            troubles.append(Trouble(shown(claim.name), str(error)))
        except KeyboardInterrupt as error:
            raise Interrupted(shown(claim.name)) from error
        else:
            observed.append(news)
            tell(news)
    for trouble in troubles:
        tell(trouble)
    return Drained(tuple(observed), tuple(troubles))


def preview_all(runner: Runner, *, tell: Callable[[ContractObserved | Trouble], None]) -> Drained:
    """Preview every contract that waits; nothing is moved."""
    observed: list[ContractObserved] = []
    troubles: list[Trouble] = []
    for path in runner.pending():
        try:
            observed.append(runner.preview(path))
            tell(observed[-1])
        except (VpmError, OSError) as error:
            troubles.append(Trouble(shown(path.name), str(error)))
            tell(troubles[-1])
    return Drained(tuple(observed), tuple(troubles))
