"""Model archives and a model's own `code/`, as SageMaker's containers read them."""
