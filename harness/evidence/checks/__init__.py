"""What `verify` looks for. Each module finds one kind of thing; none of them stops at the first."""
