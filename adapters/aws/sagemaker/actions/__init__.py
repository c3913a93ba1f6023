"""Actions of SageMaker's plans as types, and their executor."""
