"""Marks this folder as pytest's root; options, collection and fixtures are the plugin's."""
