"""Injected faults: rules, the application that applies them, and errors in each service's form."""
