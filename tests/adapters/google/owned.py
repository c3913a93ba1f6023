"""What the target `gcp` with the bucket `gs://bucket` owns, for tests with a scripted service."""

from __future__ import annotations

from cloudserve.adapters.google.ai_platform import names, records
from cloudserve.adapters.google.labels import label_value
from cloudserve.adapters.google.vertex.names import Names, resource_id
from cloudserve.adapters.ownership import Ownership

from cloudserve.release.owner import Owner


def owning(fold, bucket="bucket"):
    return Ownership("gcp", Owner(bucket, "gcp", bucket), "{model}", fold, label_value, True)


VERTEX = Names(owning(resource_id))
AI_PLATFORM = names.Names(owning(records.platform_name))


def model_labels(model, bucket="bucket"):
    """Return the labels of what the target makes for a model."""
    return owning(resource_id, label_value(bucket)).tags(model)
