"""Knative Serving's webhooks: its defaults, and its validation with its own words."""
