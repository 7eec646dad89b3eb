"""The runner: contracts in, exactly one trustworthy run out."""
