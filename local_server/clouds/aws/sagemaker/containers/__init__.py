"""The containers of endpoints, and the model data in them."""
