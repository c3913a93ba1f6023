"""Offline AWS: SageMaker control plane and runtime, CloudWatch alarms and metrics, STS."""
