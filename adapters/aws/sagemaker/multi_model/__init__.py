"""Multi-model endpoints: one SageMaker endpoint that many models share."""
