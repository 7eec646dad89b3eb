"""The JSON Schema that ships, made from the types.

`python -m harness.evidence.schema` writes it again after a change of the types.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from harness.evidence.model import json_schema

NAME = "evidence-v1.json"


def generated() -> str:
    """The schema's text as the types give it."""
    return json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def shipped() -> str:
    """The schema's text as it ships with the product."""
    return (files("harness.evidence") / "schemas" / NAME).read_text(encoding="utf-8")


if __name__ == "__main__":
    (Path(__file__).parent / "schemas" / NAME).write_text(generated(), encoding="utf-8")
