"""Which machines and accelerators Vertex AI takes, in the service's own words."""

from __future__ import annotations

import pytest

# What the adapter's own table has is known here too: a plan that passes there is taken here.
from cloudserve.adapters.google.vertex.fields.machines import BUILT_IN, N1_COUNTS
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.clouds.vertex.deployment.machines import (
    check_machine_type,
    check_pair,
)
from cloudserve.local_server.status import Code


@pytest.mark.parametrize(
    "machine",
    [
        "n1-standard-2",
        "n1-highcpu-32",
        "e2-highmem-16",
        "n2-standard-80",
        "c3-standard-4-lssd",
        "n2d-highcpu-224",
        "a4-highgpu-8g",
        "ct5lp-hightpu-1t",
        *BUILT_IN,
    ],
)
def test_existing_machine_types_pass(machine):
    check_machine_type(machine)


@pytest.mark.parametrize(
    "machine", ["n1-standard-3", "n1-standard-64", "e2-micro", "g2-standard-5", "n1", "foo", " "]
)
def test_an_unknown_machine_type_is_refused(machine):
    with pytest.raises(ApiError) as refused:
        check_machine_type(machine)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.message == f'Machine type "{machine}" is not supported.'


@pytest.mark.parametrize(
    ("machine", "accelerator", "count"),
    [("n1-standard-2", kind, count) for kind, counts in N1_COUNTS.items() for count in counts]
    + [(machine, *has) for machine, has in BUILT_IN.items()]
    + [("g4-standard-48", "NVIDIA_RTX_PRO_6000", 1)],
)
def test_existing_pairs_of_machine_and_accelerator_pass(machine, accelerator, count):
    check_pair(machine, accelerator, count)


@pytest.mark.parametrize(
    ("machine", "accelerator", "count", "message"),
    [
        (
            "n1-standard-4",
            "NVIDIA_TESLA_K80",
            1,
            'Accelerator "NVIDIA_TESLA_K80" is not supported for machine type "n1-standard-4"',
        ),
        (
            "e2-standard-4",
            "NVIDIA_TESLA_T4",
            1,
            'Accelerator "NVIDIA_TESLA_T4" is not supported for machine type "e2-standard-4"',
        ),
        (
            "g2-standard-8",
            "NVIDIA_L4",
            8,
            (
                'The accelerator count "8" is not allowed. The allowed numbers of accelerator'
                ' "NVIDIA_L4" to use with machine type "g2-standard-8" are: [1].'
            ),
        ),
    ],
)
def test_an_unsupported_accelerator_is_refused_with_the_services_text(
    machine, accelerator, count, message
):
    with pytest.raises(ApiError) as refused:
        check_pair(machine, accelerator, count)
    assert (refused.value.code, refused.value.message) == (Code.INVALID_ARGUMENT, message)
