"""Offline AWS: SageMaker control plane and runtime, STS."""
