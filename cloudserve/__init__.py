"""The core: errors, project file, SavedModel reading, release engine, client, CLI."""
