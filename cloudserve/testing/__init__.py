"""Contracts as abstract test suites, for built-in and foreign adapters alike."""
