"""Large JSON requests, decoded in pieces so that no piece blocks the server."""
