"""MLflow: registered models and the artifacts of runs as the files of a model; aliases."""
