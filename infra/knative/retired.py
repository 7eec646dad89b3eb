"""Images that are gone from their registry, and what took their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from harness.core.errors import Problem

_RETIRED: Final = {"gcr.io/knative-samples/": "ghcr.io/knative/"}
"""Prefixes of image names: those samples were deleted, and are published elsewhere."""

_IMAGE = re.compile(r"^\s*(?:- )?image:\s*[\"']?(?P<image>[^\s\"'#]+)")


def retired_images(text: str, file: str) -> Iterator[Problem]:
    """A problem for each line of a manifest that names an image which is gone."""
    for number, line in enumerate(text.splitlines(), 1):
        match = _IMAGE.match(line)
        for prefix, successor in _RETIRED.items():
            if match and match["image"].startswith(prefix):
                name = match["image"].removeprefix(prefix).partition("@")[0].partition(":")[0]
                yield Problem(
                    file,
                    number,
                    match.start("image") + 1,
                    f"the image {match['image']} was deleted from its registry",
                    f"use {successor}{name}",
                )
