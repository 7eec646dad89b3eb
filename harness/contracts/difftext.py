"""The output of `kubectl diff`, and the hash that an approval of a diff is over."""

from __future__ import annotations

import re

from harness.contracts.model import digest

_HEADER = re.compile(r"^(diff |--- |\+\+\+ |index )")
# What the server fills in anew on each dry run says nothing about the change.
_VOLATILE = re.compile(
    r"^[ +-]\s*(creationTimestamp|uid|resourceVersion|generation|time|"
    r"serving\.knative\.dev/(creator|lastModifier)): "
)
_HUNK = re.compile(r"^@@ .*$")


def diff_digest(diff: str) -> str:
    """The hash of the changes in a diff, without file names, times and hunk numbers."""
    kept = (
        "@@" if _HUNK.match(line) else line
        for line in diff.splitlines()
        if not _HEADER.match(line) and not _VOLATILE.match(line)
    )
    return digest("\n".join(kept).encode())
