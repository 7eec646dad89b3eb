"""Logging in as a kubeconfig says: bounded in time, and never as nobody by mistake.

A context may get its credentials from a program (`exec`). The client library waits for it without
end, and goes on without credentials where it fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from harness.core.errors import ClusterError
from infra.kube_user import user_of

# Somebody may have to confirm a login elsewhere meanwhile.
LOGIN_TIMEOUT: Final = 60.0


def log_in(
    login: Callable[[], None],
    settings: Any,
    *,
    kubeconfig: Path,
    context: str,
    timeout: float = LOGIN_TIMEOUT,
) -> None:
    """Call `login`, which fills the library's `settings` as the context says.

    It raises ValueError or OSError when the file cannot be used.

    Errors:
        ClusterError: it could not, or the program that it ran gave no credentials in time.
    """
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    try:
        in_time, error = _within(timeout, login)
    finally:
        logging.getLogger().removeHandler(heard)
    if not in_time:
        raise _no_credentials(kubeconfig, context, f"did not answer within {timeout:g} s")
    if isinstance(error, OSError) and error.filename:
        raise ClusterError(
            f"context {context!r} of {kubeconfig} cannot be used: {error.filename}: "
            f"{error.strerror}",
            mend=f"log in again, or correct what the kubeconfig says of {error.filename}",
        ) from error
    if error is not None:
        raise ClusterError(
            f"context {context!r} of {kubeconfig} cannot be used: {error}",
            mend="cluster, user and context must be in one file: kubectl config view "
            f"--flatten --minify --context {context} > FILE",
        ) from error
    if user_of(kubeconfig, context).get("exec") and not (settings.api_key or settings.cert_file):
        raise _no_credentials(kubeconfig, context, f"gave none: {heard.words or 'no word of it'}")


def _within(timeout: float, login: Callable[[], None]) -> tuple[bool, Exception | None]:
    """Whether `login` ended in time, and its error. One that hangs is left to itself."""
    ended = Event()
    errors: list[Exception] = []

    def work() -> None:
        try:
            login()
        except (OSError, ValueError) as error:
            errors.append(error)
        finally:
            ended.set()

    Thread(target=work, daemon=True).start()
    in_time = ended.wait(timeout)
    return in_time, errors[0] if errors else None


def _no_credentials(kubeconfig: Path, context: str, what: str) -> ClusterError:
    said = user_of(kubeconfig, context).get("exec") or {}
    program = str(said.get("command") or "without a name")
    return ClusterError(
        f"context {context!r}: its program for credentials, {Path(program).name}, {what}",
        mend=f"log in as that program wants it, until this works: kubectl --context {context} "
        "get namespaces",
    )


class _Heard(logging.Handler):
    """The library logs why a program failed, and nothing else says so."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last words, on one line."""
        self.words = " ".join(record.getMessage().split())[:500]
