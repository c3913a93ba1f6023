"""What SageMaker has of a model, compared with the target's fields, for `diff --target`.

May be imported by the providers and the planner of `multi_model`.
"""
