"""What predictions are sent over: REST, gRPC, this process, a platform; how each is opened."""
