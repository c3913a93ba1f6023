"""The recording of requests in golden files, for the monitor of a server and the offline clouds."""
