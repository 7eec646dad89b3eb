"""Controllers: they compare what objects ask for with what is, and write the difference."""
