"""TensorFlow Serving's nouns: Servable, Loader, Manager, version states."""
