"""The pytest plugin of vpm-harness."""
