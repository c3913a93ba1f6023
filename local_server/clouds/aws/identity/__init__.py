"""IAM's roles, STS's sessions, and their two services in the query protocol. For `aws` alone."""
