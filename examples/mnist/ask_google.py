"""Predict through Google's own client, unmodified: `endpoints.predict` of Vertex AI."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from googleapiclient import discovery

BATCH = 250  # Vertex AI accepts requests up to 1.5 MB
REGION = "us-central1"


def predict(endpoint: str, instances: Sequence[Any]) -> list[list[float]]:
    """Return the class probabilities of each instance, in requests of 250."""
    service = discovery.build(
        "aiplatform",
        "v1",
        static_discovery=True,
        # gcloud's variable for another endpoint; by default Google's.
        client_options={"api_endpoint": os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]},
    )
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    name = f"projects/{project}/locations/{REGION}/endpoints/{endpoint}"
    predictions: list[list[float]] = []
    with service:
        endpoints = service.projects().locations().endpoints()
        for start in range(0, len(instances), BATCH):
            body = {"instances": instances[start : start + BATCH]}
            predictions += endpoints.predict(endpoint=name, body=body).execute()["predictions"]
    return predictions
