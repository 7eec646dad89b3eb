"""The body of an answer: digested while it arrives, kept only where a check needs it."""

from __future__ import annotations

import hashlib

from .bounded import search
from .outcomes import Failure, Outcome
from .plan import BodyCheck

HEAD_BYTES = 200
_SHOWN = 80


class Body:
    """Counts, digests and bounds the bytes of one body."""

    __slots__ = ("_digest", "_kept", "_limit", "count", "head")

    def __init__(self, limit: int, keep: bool = False) -> None:
        self._digest = hashlib.sha256()
        self._kept = bytearray() if keep else None
        self._limit = limit
        self.count = 0
        self.head = b""

    def write(self, data: bytes) -> None:
        """Add `data`; Failure too_large when the limit is passed."""
        self.count += len(data)
        if self.count > self._limit:
            raise Failure(Outcome.TOO_LARGE, f"body is larger than {self._limit} bytes")
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(data[: HEAD_BYTES - len(self.head)])
        self._digest.update(data)
        if self._kept is not None:
            self._kept += data

    @property
    def sha256(self) -> str:
        """The digest of what has arrived, in hexadecimal."""
        return self._digest.hexdigest()

    @property
    def head_text(self) -> str:
        """The first 200 bytes as text; what is not UTF-8 is shown as escapes."""
        return self.head.decode("utf-8", "backslashreplace")

    def kept(self) -> bytes:
        """The whole body, if it was to be kept."""
        return bytes(self._kept or b"")


def body_mismatch(check: BodyCheck, body: bytes) -> str | None:
    """Why `body` is not what `check` asks for, and what it is instead; None when it is.

    Failure prober_error when its pattern takes too long to tell.
    """
    if check.exact is not None and body != check.exact.encode():
        return (
            f"body is not exactly {_shown(check.exact)}: {_difference(check.exact.encode(), body)}"
        )
    if check.contains is not None and check.contains.encode() not in body:
        return f"body does not contain {_shown(check.contains)}: it is {_shown(body)}"
    if check.regex is not None and not search(check.regex, body.decode("utf-8", "replace")):
        return f"body does not match the pattern {_shown(check.regex)}: it is {_shown(body)}"
    return None


def _difference(expected: bytes, found: bytes) -> str:
    """Where two bodies part, and how each goes on."""
    shorter = min(len(expected), len(found))
    at = next((i for i in range(shorter) if expected[i] != found[i]), shorter)
    return (
        f"from byte {at} on it is {_shown(found[at:])} instead of {_shown(expected[at:])}, "
        f"{len(found)} bytes instead of {len(expected)}"
    )


def _shown(content: bytes | str) -> str:
    """The beginning of `content` with white space made visible, and how long it is in all."""
    text = content if isinstance(content, str) else content.decode("utf-8", "backslashreplace")
    shown = repr(text[:_SHOWN])
    return shown if len(text) <= _SHOWN else f"{shown}... ({len(content)} in all)"


def needs_body(check: BodyCheck) -> bool:
    """Whether any check looks at the body."""
    return not (check.exact is None and check.contains is None and check.regex is None)


def status_matches(expected: tuple[str, ...], status: int) -> bool:
    """Whether `status` is one of `expected` (``200``, ``2xx``)."""
    exact = str(status)
    return exact in expected or f"{exact[0]}xx" in expected
