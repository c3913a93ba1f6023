"""Gates: checks that a release has to pass before its first change, and their verdicts."""
