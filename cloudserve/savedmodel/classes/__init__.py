"""Class vocabularies: the names of a model's classes, read from its graph and assets."""
