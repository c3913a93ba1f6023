#!/bin/sh
# What the container runs. Vertex AI sets AIP_HTTP_PORT, AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE, and
# AIP_STORAGE_URI to its copy of the model: a SavedModel, or a folder of NUMBER/ ones.
set -eu

case "${1:-}" in
    # Arguments of TensorFlow Serving, such as a deployment written for its image gives.
    -*) exec cloudserve model-server "$@" ;;
esac

exec cloudserve serve "${1:-${AIP_STORAGE_URI:-/model}}" --as vertex --host 0.0.0.0 --log-format json
