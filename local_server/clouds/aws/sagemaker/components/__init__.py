"""Inference components: models that are placed on an endpoint's instances one by one.

The control plane and the runtime may import it; endpoints know its table only.
"""
