"""The locations of buckets, as Cloud Storage's API names them.

Sources: for regions, the endpoints of the storage v1 discovery document, which the tests compare
with this table, and two of aiplatform v1 (`ASIA-SOUTHEAST3`, `US-CENTRAL2`); for the others, Cloud
Storage, "Bucket locations".
"""

from __future__ import annotations

from typing import Any

from .errors import invalid

MULTI_REGION = "US"
_REGIONS = """
AFRICA-SOUTH1
ASIA-EAST1 ASIA-EAST2 ASIA-NORTHEAST1 ASIA-NORTHEAST2 ASIA-NORTHEAST3 ASIA-SOUTH1 ASIA-SOUTH2
ASIA-SOUTHEAST1 ASIA-SOUTHEAST2 ASIA-SOUTHEAST3 AUSTRALIA-SOUTHEAST1 AUSTRALIA-SOUTHEAST2
EUROPE-CENTRAL2 EUROPE-NORTH1 EUROPE-NORTH2 EUROPE-SOUTHWEST1 EUROPE-WEST1 EUROPE-WEST2 EUROPE-WEST3
EUROPE-WEST4 EUROPE-WEST6 EUROPE-WEST8 EUROPE-WEST9 EUROPE-WEST10 EUROPE-WEST12
ME-CENTRAL1 ME-CENTRAL2 ME-WEST1
NORTHAMERICA-NORTHEAST1 NORTHAMERICA-NORTHEAST2 NORTHAMERICA-SOUTH1
SOUTHAMERICA-EAST1 SOUTHAMERICA-WEST1
US-CENTRAL1 US-CENTRAL2 US-EAST1 US-EAST4 US-EAST5 US-SOUTH1 US-WEST1 US-WEST2 US-WEST3 US-WEST4
US-WEST8
"""
LOCATIONS = frozenset({
    *_REGIONS.split(), MULTI_REGION, "EU", "ASIA", "ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4",
})  # fmt: skip


def check_location(location: Any) -> str:
    """Return a location in its usual case; raises GcsError.

    The text is the service's (googleapis/google-cloud-cpp#8566).
    """
    if not isinstance(location, str) or location.upper() not in LOCATIONS:
        raise invalid("The specified location constraint is not valid.")
    return location.upper()
