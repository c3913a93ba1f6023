"""Predict through Google's own client, unmodified: `projects.predict` of AI Platform (ml v1)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from googleapiclient import discovery

BATCH = 250  # AI Platform accepts requests up to 1.5 MB


def predict(model: str, signature: str, instances: Sequence[Any]) -> list[list[float]]:
    """Return the class probabilities of each instance, in requests of 250."""
    service = discovery.build(
        "ml",
        "v1",
        static_discovery=True,
        # gcloud's variable for another endpoint; by default Google's.
        client_options={"api_endpoint": os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"]},
    )
    name = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/models/{model}"
    predictions: list[list[float]] = []
    with service:
        for start in range(0, len(instances), BATCH):
            body = {"signature_name": signature, "instances": instances[start : start + BATCH]}
            answer = service.projects().predict(name=name, body=body).execute()
            if "error" in answer:
                raise SystemExit(f"AI Platform: {answer['error']}")
            predictions += answer["predictions"]
    return predictions
