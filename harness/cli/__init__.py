"""The `vpm` command."""
