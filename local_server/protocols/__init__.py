"""Translators from wire formats to the data plane (`inference`)."""
