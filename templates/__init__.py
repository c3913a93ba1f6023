"""Files that people get; data only."""
