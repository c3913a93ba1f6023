"""The execution of a plan: the engine that plans again under the lock, the executor, the steps."""
