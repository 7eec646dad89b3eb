"""The pure core: records, conditions, indicators, verdicts and diagnosis. No I/O."""
