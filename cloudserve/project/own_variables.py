"""Variables of cloudserve itself, which look like a field of a target with such a name.

`CLOUDSERVE_MODEL_CACHE` names a folder on this machine, whatever the targets of a project are
named: a target `model` has no field `cache`.
"""

from __future__ import annotations

OWN_VARIABLES = frozenset(
    {
        "CLOUDSERVE_EMULATE_DATA",
        "CLOUDSERVE_EMULATE_DETACH",
        "CLOUDSERVE_EMULATOR_PORT",
        "CLOUDSERVE_GRPC_PORT",
        "CLOUDSERVE_MODEL_CACHE",
        "CLOUDSERVE_MODEL_CACHE_BYTES",
        "CLOUDSERVE_OFFLINE_URL",
        "CLOUDSERVE_OP_LIBRARIES",
        "CLOUDSERVE_PLAN_DETAILED_EXITCODE",
        "CLOUDSERVE_RECORD_KEY",
        "CLOUDSERVE_REGISTRY_PASSWORD",
        "CLOUDSERVE_REGISTRY_USER",
    }
)
"""In docs/reference/environment-variables.md; tests/docs/test_environment_variables.py."""
