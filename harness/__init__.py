"""vpm-harness: prove that a Knative service is really up, and keep the proof."""

from __future__ import annotations

__version__ = "0.1.0"
