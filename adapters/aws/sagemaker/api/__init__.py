"""Calls of SageMaker, Application Auto Scaling, CloudWatch and its logs."""
