"""Clusters: drivers for those that exist, and the emulator for those that do not."""
