"""SageMaker's control plane, and the containers that its endpoints run."""
