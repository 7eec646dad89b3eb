"""Type files: the fields of the kinds that are served."""
