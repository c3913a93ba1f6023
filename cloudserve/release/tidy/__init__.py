"""The collection of what releases leave behind: old revisions, unused resources, their objects."""
