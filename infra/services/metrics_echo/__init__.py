"""metrics-echo: says who answered, counts what it answered, and echoes requests."""
