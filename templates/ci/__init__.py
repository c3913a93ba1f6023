"""Templates of the pipelines that `cloudserve ci init` writes. `%NAME%` is replaced."""
