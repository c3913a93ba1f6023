"""Google's clients, imported once."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # TensorFlow brings grpc, and then api_core asks for a package that only gRPC errors need.
    warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
    import google.api_core.exceptions  # noqa: F401 - imported for its warning, in quiet
