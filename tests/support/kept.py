"""Ending clusters that `vpm cluster up` started for a test."""

from __future__ import annotations

import re
from collections.abc import Callable

_CONFIRM = re.compile(r"--confirm (\S+)")


def take_down(name: str, vpm: Callable[..., tuple[int, str]]) -> None:
    """End a kept cluster, whatever runs on it; `vpm` returns an exit code and what was said."""
    code, text = vpm("cluster", "down", name)
    asked = _CONFIRM.search(text)
    if asked:
        code, text = vpm("cluster", "down", name, "--confirm", asked[1])
    assert code == 0, text
