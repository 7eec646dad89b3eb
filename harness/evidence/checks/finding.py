"""A finding: what is wrong with evidence, and exactly where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_SHOWN = 120


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. `rule` names the check: files, schema, ledger, text, time, ...

    `file` is relative to the reports folder, `field` is a path such as `vantages.0.probe.good`.
    """

    file: str
    field: str
    expected: str
    found: str
    rule: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        line = f"{place}: expected {self.expected}, found {self.found} [{self.rule}]"
        # Names of files come from whoever made them: none may break the line or steer a terminal.
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)

    def to_json(self) -> Mapping[str, str]:
        """The finding for programs."""
        return {
            "file": self.file,
            "field": self.field,
            "expected": self.expected,
            "found": self.found,
            "rule": self.rule,
        }


def shown(value: object) -> str:
    """A value as a finding shows it: on one line and not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
