"""The execution of a plan: the engine's own actions, and the executor of all."""
