"""The stepwise engine and its journal."""
