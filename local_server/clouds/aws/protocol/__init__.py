"""AWS's protocols: JSON 1.1, validation by botocore's models, signatures, errors."""
