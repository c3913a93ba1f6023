"""SageMaker's control plane and the containers of its endpoints."""
