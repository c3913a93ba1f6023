"""Predict through AWS's own client, unmodified: `invoke_endpoint` of SageMaker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import boto3

BATCH = 250


def predict(endpoint: str, instances: Sequence[Any]) -> list[list[float]]:
    """Return the class probabilities of each instance, in requests of 250."""
    runtime = boto3.client("sagemaker-runtime")
    predictions: list[list[float]] = []
    for start in range(0, len(instances), BATCH):
        body = {"instances": instances[start : start + BATCH]}
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="application/json", Body=json.dumps(body)
        )
        predictions += json.load(answer["Body"])["predictions"]
    runtime.close()
    return predictions
