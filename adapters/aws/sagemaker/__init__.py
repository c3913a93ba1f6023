"""Amazon SageMaker as a `Provider`: endpoints, the model registry, batch transform."""
