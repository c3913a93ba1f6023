from __future__ import annotations

import random
from collections import Counter

import pytest
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from cloudserve.local_server.clouds.aws.runtime.targets import pick
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.deployments import Variant


def variants(**weights: float) -> list[Variant]:
    return [Variant(name=name, weight=weight, container={}) for name, weight in weights.items()]


def test_a_seed_fixes_the_draws():
    rng, choices = random.Random(11), variants(a=9, b=1)
    drawn = Counter(pick(choices, rng).name for _ in range(1000))
    again = random.Random(11)
    assert drawn == Counter("ab"[again.random() * 10 >= 9] for _ in range(1000))
    assert abs(drawn["b"] - 100) < 3 * 9.5


def test_a_weight_of_zero_is_never_drawn():
    rng = random.Random(3)
    drawn = {pick(variants(a=0, b=1, c=0), rng).name for _ in range(1000)}
    assert drawn == {"b"}


def test_no_weight_at_all_is_an_error():
    with pytest.raises(AwsError, match="No production variant has a weight above 0"):
        pick(variants(a=0, b=0), random.Random(1))
