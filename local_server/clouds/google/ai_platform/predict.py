"""Online predictions of AI Platform.

The JSON is TensorFlow Serving's. Failures differ: once a request has reached a model, the response
is HTTP 200 with `{"error": "Prediction failed: ..."}` (tensorflow/hub#292). Google's samples
therefore look for `error` in a successful response.
"""

from __future__ import annotations

import json

from ....inference import Inference
from ....inference.types import ModelSpec
from ....protocols.tfserving.predict_json import predict_json
from ....status import StatusError


async def predict(inference: Inference, name: str, body: bytes) -> bytes:
    """Answer a predict request with the model version loaded under this name."""
    try:
        return await predict_json(inference, ModelSpec(name), body)
    except StatusError as error:
        return json.dumps({"error": f"Prediction failed: {error.message}"}).encode()
