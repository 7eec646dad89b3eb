"""Digests of downloads: recorded when a file is first seen, enforced ever after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ClusterError
from infra.clusters.state import write_atomically


class DigestMismatch(ClusterError):
    """A file is not the one that was seen under this URL before."""


def sha256(content: bytes) -> str:
    """The hexadecimal SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """The hexadecimal SHA-256 of a file, however large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class DigestLock:
    """A file that maps URLs to digests."""

    file: Path

    def known(self) -> dict[str, str]:
        """All recorded digests by URL."""
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ClusterError(
                f"{self.file} is not a lock file: {error}", mend="restore it, or remove it"
            ) from error
        return {str(url): str(digest) for url, digest in content.items()}

    def check(self, url: str, content: bytes) -> str:
        """The content's digest, recorded if the URL is new.

        Errors:
            DigestMismatch: another digest was recorded for this URL.
        """
        known = self.known()
        digest = sha256(content)
        expected = known.get(url, digest)
        if expected != digest:
            raise DigestMismatch(
                f"{url} has changed: sha256 {digest}, and it was {expected} before",
                mend=f"find out why; if the change is right, remove its line from {self.file}",
            )
        if url not in known:
            text = json.dumps({**known, url: digest}, indent=2, sort_keys=True)
            write_atomically(self.file, text + "\n")
        return digest
