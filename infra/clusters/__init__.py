"""Cluster drivers: the embedded emulator, kind, and whatever a context points at."""
