#!/bin/sh
# The container's entry point. Vertex AI sets AIP_HTTP_PORT, AIP_PREDICT_ROUTE, AIP_HEALTH_ROUTE, and
# AIP_STORAGE_URI to its copy of the model: a SavedModel, or a base path with NUMBER/ directories.
set -eu

case "${1:-}" in
    # Arguments for TensorFlow Serving's image.
    -*) exec cloudserve model-server "$@" ;;
esac

exec cloudserve serve "${1:-${AIP_STORAGE_URI:-/model}}" --as vertex --host 0.0.0.0 --log-format json
