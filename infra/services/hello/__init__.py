"""hello: answers `Hello <TARGET>!` to everything."""
