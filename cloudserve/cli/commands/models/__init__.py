"""Commands that use or read models: predictions, golden files, downloads."""
