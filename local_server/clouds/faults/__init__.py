"""Injected faults: rules, the app that applies them, and answers in each service's form."""
