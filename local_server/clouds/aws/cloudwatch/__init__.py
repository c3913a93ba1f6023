"""CloudWatch metrics: the store, statistics of periods, and the API's operations."""
