"""What a bucket gives its new objects, and the retention that begins when a hold ends.

Source: Cloud Storage, "Object holds": a bucket's default event-based hold; the retention of an
object begins when its event-based hold is released.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ...store.types import BucketInfo, ObjectProperties
from ..customer_keys import key_hash
from ..request import GcsCall

EVENT = "eventBasedHold"


def new_object(call: GcsCall, bucket: str, properties: ObjectProperties) -> ObjectProperties:
    """Return a new object's properties, with its bucket's default hold and the caller's key."""
    settings = call.store.get_bucket(bucket).settings
    holds = properties.holds
    if settings.get("defaultEventBasedHold") and EVENT not in holds:
        holds = (EVENT, *holds)
    return replace(properties, holds=holds, customer_key=key_hash(call))


def after_release(
    before: ObjectProperties, after: ObjectProperties, bucket: BucketInfo
) -> ObjectProperties:
    """Return properties with the retention that begins if an event-based hold was released."""
    released = EVENT in before.holds and EVENT not in after.holds
    if not (released and bucket.retention):
        return replace(after, retain_until=before.retain_until, customer_key=before.customer_key)
    until = time.time() + bucket.retention
    return replace(after, retain_until=until, customer_key=before.customer_key)
