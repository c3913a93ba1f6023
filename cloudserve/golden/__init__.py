"""Golden files: recorded requests with their answers or labels, and their comparison."""
