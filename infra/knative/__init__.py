"""Knative Serving and kourier: which versions, and how they are installed."""
