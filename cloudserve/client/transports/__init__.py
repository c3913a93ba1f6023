"""Transports of predictions: REST, gRPC, this process, a platform; how each is opened."""
