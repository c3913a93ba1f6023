"""Google's API conventions: discovery documents, messages, enums, errors, ETags."""
