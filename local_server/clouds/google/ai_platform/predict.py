"""AI Platform Prediction's online predictions, on the one data plane.

The JSON is TensorFlow Serving's. What differs is failure: once a request has reached a model, the
answer is HTTP 200 with `{"error": "Prediction failed: ..."}` (tensorflow/hub#292), which is why
every sample of Google's looks for `error` in a successful response.
"""

from __future__ import annotations

import json

from ....inference import Inference
from ....inference.nouns import ModelSpec
from ....protocols.tfserving.predict_json import predict_json
from ....status import StatusError


async def predict(inference: Inference, name: str, body: bytes) -> bytes:
    """Answer a predict request of the one model version loaded under a name."""
    try:
        return await predict_json(inference, ModelSpec(name), body)
    except StatusError as error:
        return json.dumps({"error": f"Prediction failed: {error.message}"}).encode()
