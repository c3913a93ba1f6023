"""Actions with types: what a plan file keeps is the step that is performed."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from cloudserve.adapters.actions import planned, typed
from cloudserve.adapters.aws.sagemaker.actions import steps as sagemaker
from cloudserve.adapters.google.ai_platform import actions as ai_platform
from cloudserve.adapters.google.vertex.actions import steps as vertex
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.release.types import Action

UNIONS = {
    "sagemaker": sagemaker.Step,
    "multi-model": sagemaker.SharedStep,
    "ai-platform": ai_platform.Step,
    "vertex": vertex.Step,
}
KINDS = [(union, kind) for union in UNIONS.values() for kind in get_args(union)]
JSON = st.dictionaries(st.text(), st.text() | st.integers(0, 9) | st.lists(st.booleans()))
VALUES = {
    "str": st.text(),
    "int": st.integers(0, 2**31),
    "bool": st.booleans(),
    "dict[str, Any]": JSON,
    "dict[str, str]": st.dictionaries(st.text(), st.text()),
    "dict[str, int]": st.dictionaries(st.text(), st.integers(0, 100)),
    "dict[str, int] | None": st.none() | st.dictionaries(st.text(), st.integers(0, 100)),
    "list[dict[str, Any]]": st.lists(JSON),
    "list[str]": st.lists(st.text()),
}


def steps(kind):
    fields = kind.__annotations__
    return st.builds(kind, **{name: VALUES[text] for name, text in fields.items()})


@pytest.mark.parametrize(
    ("union", "kind"), KINDS, ids=[kind.__struct_config__.tag for _, kind in KINDS]
)
@given(st.data())
def test_every_step_comes_back_from_a_plan_file_as_it_was(union, kind, data):
    step = data.draw(steps(kind))
    action = planned(step, "do it")
    assert action.kind == action.id == kind.__struct_config__.tag
    read = msgspec.json.decode(msgspec.json.encode(action), type=Action)
    assert read == action
    assert typed(read, union, "it") == step


@pytest.mark.parametrize("union", UNIONS.values(), ids=UNIONS)
def test_a_kind_of_another_platform_is_refused(union):
    with pytest.raises(UserError, match="it does not know the action `fly`: Invalid value 'fly'"):
        typed(Action("fly", "fly"), union, "it")


def test_a_field_of_another_type_is_refused_with_its_name():
    action = Action("set-weights", "", {"model": "m", "endpoint": "e", "revision": "r"})
    with pytest.raises(UserError, match="missing required field `weights`"):
        typed(action, sagemaker.Step, "sagemaker")
    old = Action("set-weights", "", {**action.args, "weights": '{"r": 100}'})
    with pytest.raises(UserError, match=r"Expected `object`, got `str` - at `\$.weights`") as error:
        typed(old, sagemaker.Step, "sagemaker")
    assert error.value.hint == "make the plan again"
