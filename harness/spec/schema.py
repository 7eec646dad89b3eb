"""The JSON Schema of scenarios, made from the same types that the parser uses."""

from __future__ import annotations

import json

from pydantic.json_schema import GenerateJsonSchema

from harness.spec.model import Scenario


class _Schema(GenerateJsonSchema):
    schema_dialect = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> str:
    """The JSON Schema (draft 2020-12) as indented JSON text."""
    schema = Scenario.model_json_schema(by_alias=True, schema_generator=_Schema)
    return json.dumps({"$schema": _Schema.schema_dialect, **schema}, indent=2) + "\n"
