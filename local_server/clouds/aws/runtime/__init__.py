"""SageMaker's runtime: invocations of endpoints, synchronous, asynchronous and streamed."""
