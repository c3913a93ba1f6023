"""From the files of a SavedModel to a session that holds its variables."""
