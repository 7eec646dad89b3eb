"""What a person writes: scenario models, their parser, units and JSON Schema. Pure."""
