"""TensorFlow lives here and nowhere else: SavedModels as callables."""
