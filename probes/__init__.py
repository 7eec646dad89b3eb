"""Probes: what is sent to a service, from where, and what comes back."""
