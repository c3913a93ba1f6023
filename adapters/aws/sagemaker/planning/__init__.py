"""Plans for SageMaker: checks of a target, and the actions that a release consists of."""
