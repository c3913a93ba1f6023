"""Which changes of a model's signatures can break the clients of the live version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.savedmodel import Effect, Signature, TensorSpec, compare, read_saved_model

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
X = TensorSpec("x", "x:0", "float32", (None, 3))
Y = TensorSpec("y", "y:0", "float32", (None, 10))


def signature(
    name="serving_default", *, method=PREDICT, inputs=(X,), outputs=(Y,), defaults=()
) -> Signature:
    return Signature(name, method, tuple(inputs), tuple(outputs), tuple(defaults))


def spec(alias="x", dtype="float32", shape=(None, 3), components=()):
    return TensorSpec(alias, "" if components else f"{alias}:0", dtype, shape, tuple(components))


LIVE = signature()


def changes(live, new):
    """Return each difference's text, with `!` before those that break."""
    contract = compare([live], [new])
    return [f"{'!' * one.breaking}{one.text}" for one in contract.differences]


def test_the_same_signatures_differ_in_nothing():
    contract = compare([LIVE], [signature()])
    assert contract.differences == ()
    assert contract.is_compatible


def test_tensor_names_are_not_part_of_the_contract():
    moved = TensorSpec("x", "elsewhere:7", "float32", (None, 3))
    assert changes(LIVE, signature(inputs=[moved])) == []


def test_a_missing_signature_breaks_and_an_added_one_does_not():
    contract = compare([LIVE, signature("old")], [LIVE, signature("new")])
    assert list(map(str, contract.differences)) == [
        "signature new: is added",
        "signature old: is missing",
    ]
    assert [one.signature for one in contract.breaking] == ["old"]
    assert not contract.is_compatible


def test_a_missing_default_signature_names_the_affected_requests():
    contract = compare([LIVE], [])
    assert list(map(str, contract.breaking)) == [
        "signature serving_default: is missing; requests that name no signature use it"
    ]


def test_the_loaders_own_signatures_are_omitted():
    assert compare([signature("__saved_model_init_op")], []).differences == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (PREDICT, CLASSIFY, f"method changes from {PREDICT} to {CLASSIFY}"),
        (CLASSIFY, PREDICT, f"!method changes from {CLASSIFY} to {PREDICT}"),
        (PREDICT, "", f"!method changes from {PREDICT} to (none)"),
    ],
)
def test_every_method_answers_predict_and_no_other_call(before, after, expected):
    assert changes(signature(method=before), signature(method=after)) == [expected]


def test_inputs_that_come_and_go_break():
    assert changes(LIVE, signature(inputs=[spec("z")])) == [
        "!input x is missing; requests that send it are refused",
        "!input z is added without a default; requests that leave it out are refused",
    ]


def test_an_added_input_with_a_default_breaks_json_requests():
    new = signature(inputs=[X, spec("z")], defaults=["z"])
    assert changes(LIVE, new) == [
        "!input z is added; it has a default, but JSON requests that leave it out are refused"
    ]


def test_a_dropped_default_breaks_and_an_added_one_does_not():
    with_default = signature(defaults=["x"])
    assert changes(with_default, LIVE) == ["!input x no longer has a default"]
    assert changes(LIVE, with_default) == ["input x has a default now"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((None, 3), (None, 4), "!input x: shape changes from [?,3] to [?,4]"),
        ((None, 3), (None, None), "input x: shape changes from [?,3] to [?,?]"),
        ((None, 3), (1, 3), "!input x: shape changes from [?,3] to [1,3]"),
        ((None, 3), (None, 3, 1), "!input x: shape changes from [?,3] to [?,3,1]"),
        ((None, 3), None, "input x: shape changes from [?,3] to [...]"),
        (None, (None, 3), "!input x: shape changes from [...] to [?,3]"),
        ((), (None,), "!input x: shape changes from [] to [?]"),
    ],
)
def test_an_input_may_take_more_shapes_and_not_fewer(before, after, expected):
    live, new = (signature(inputs=[spec(shape=shape)]) for shape in (before, after))
    assert changes(live, new) == [expected]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((None, 10), (None, 11), "!output y: shape changes from [?,10] to [?,11]"),
        ((None, 10), (None,), "!output y: shape changes from [?,10] to [?]"),
        ((1, 10), (None, 10), "output y: shape changes from [1,10] to [?,10]"),
        ((None, None), (None, 10), "output y: shape changes from [?,?] to [?,10]"),
        ((None, 10), None, "output y: shape changes from [?,10] to [...]"),
    ],
)
def test_an_output_breaks_where_its_shapes_contradict(before, after, expected):
    live, new = (signature(outputs=[spec("y", shape=shape)]) for shape in (before, after))
    assert changes(live, new) == [expected]


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_another_dtype_breaks_on_either_side(side):
    live, new = (signature(**{side: [spec(dtype=dtype)]}) for dtype in ("float32", "float64"))
    noun = side.removesuffix("s")
    assert changes(live, new) == [f"!{noun} x: dtype changes from float32 to float64"]


def test_a_dense_input_that_becomes_sparse_breaks():
    sparse = signature(inputs=[spec(components=["v:0", "i:0", "s:0"])])
    assert changes(LIVE, sparse) == [
        "!input x changes from one dense tensor to 3 component tensors"
    ]


def test_a_second_output_changes_the_form_of_json_predictions():
    two = signature(outputs=[Y, spec("z")])
    assert changes(LIVE, two) == [
        "output z is added",
        "!JSON predictions change from values to objects: there are 2 outputs now",
    ]
    assert changes(two, LIVE) == [
        "!output z is missing",
        "!JSON predictions change from objects to values: there is one output now",
    ]


def test_a_third_output_breaks_nothing():
    two, three = signature(outputs=[Y, spec("z")]), signature(outputs=[Y, spec("z"), spec("zz")])
    assert changes(two, three) == ["output zz is added"]


def test_real_versions_of_one_model_are_compatible(shared_models):
    versions = [shared_models / "tfs_half_plus_two_2v" / n for n in ("123", "124")]
    live, new = (read_saved_model(version).signatures for version in versions)
    assert compare(live, new).is_compatible


def test_a_real_model_in_the_place_of_another_breaks(shared_models):
    live = read_saved_model(shared_models / "tfs_half_plus_two_cpu/123").signatures
    new = read_saved_model(shared_models / "tfs_matrix_half_plus_two/1").signatures
    assert not compare(live, new).is_compatible


def effects(live, new):
    """Return the verdict of one signature, and the requests that are answered as before."""
    contract = compare([live], [new])
    return contract.verdict, [clause.partition(": ")[2] for clause in contract.answered]


@pytest.mark.parametrize(
    ("live", "new", "answered"),
    [
        (signature(method=CLASSIFY), LIVE, "Predict requests"),
        (LIVE, signature(inputs=[X, spec("z")], defaults=["z"]), "gRPC requests"),
        (
            signature(inputs=[X, spec("z")], defaults=["z"]),
            signature(inputs=[X]),
            "gRPC requests without z",
        ),
        (signature(defaults=["x"]), LIVE, "requests with x"),
        (LIVE, signature(inputs=[spec(shape=(1, 3))]), "requests whose x has the shape [1,3]"),
        (
            signature(inputs=[spec(shape=None)]),
            LIVE,
            "requests whose x has the shape [?,3]",
        ),
        (LIVE, signature(inputs=[spec(dtype="float64")]), "JSON requests"),
        (
            LIVE,
            signature(inputs=[spec(dtype="int32")]),
            "JSON requests with integers of int32 for x",
        ),
        (LIVE, signature(outputs=[spec("y", "float64", (None, 10))]), "JSON requests"),
        (LIVE, signature(outputs=[Y, spec("z")]), "gRPC requests"),
        (
            signature(outputs=[Y, spec("z"), spec("zz")]),
            signature(outputs=[Y, spec("z")]),
            "requests of clients that do not read zz",
        ),
        (
            LIVE,
            signature(inputs=[spec(dtype="float64", shape=(1, 3))]),
            "JSON requests that are also requests whose x has the shape [1,3]",
        ),
    ],
)
def test_a_change_that_leaves_some_requests_alone_names_them(live, new, answered):
    assert effects(live, new) == (Effect.SOME, [answered])


@pytest.mark.parametrize(
    ("live", "new"),
    [
        (LIVE, signature(inputs=[spec(dtype="string")])),
        (LIVE, signature(inputs=[spec(dtype="bfloat16")])),
        (LIVE, signature(inputs=[spec(shape=(None, 4))])),
        (LIVE, signature(inputs=[])),
        (LIVE, signature(outputs=[spec("y", "int64", (None, 10))])),
        (LIVE, signature(outputs=[spec("z")])),
        (LIVE, signature(method="")),
        (LIVE, signature("other")),
    ],
)
def test_a_change_that_no_request_survives_is_breaking(live, new):
    assert effects(live, new) == (Effect.ALL, [])


def test_a_signature_that_stays_keeps_its_requests():
    contract = compare([LIVE, signature("other")], [signature("other")])
    assert contract.verdict is Effect.SOME
    assert contract.answered == ("signature other: all requests",)


def test_real_versions_that_differ_in_a_method_answer_the_same_predict_requests(shared_models):
    versions = [shared_models / "sts_template_app" / number for number in "12"]
    one, two = (read_saved_model(version).signatures for version in versions)
    contract = compare(one, two)
    assert contract.verdict is Effect.SOME
    assert [str(one) for one in contract.breaking] == [
        f"signature serving_default: method changes from {CLASSIFY} to {PREDICT}"
    ]
    assert contract.answered == ("signature serving_default: Predict requests",)
    assert compare(two, one).verdict is Effect.NONE


SHAPES = st.none() | st.lists(st.none() | st.integers(0, 4), max_size=3).map(tuple)
SPECS = st.builds(spec, st.sampled_from("abc"), st.sampled_from(["float32", "int64"]), SHAPES)
SIGNATURES = st.builds(
    signature,
    st.sampled_from(["serving_default", "other"]),
    inputs=st.lists(SPECS, max_size=3, unique_by=lambda one: one.alias),
    outputs=st.lists(SPECS, max_size=3, unique_by=lambda one: one.alias),
)
MODELS = st.lists(SIGNATURES, max_size=2, unique_by=lambda one: one.name)


@given(MODELS)
def test_every_model_is_compatible_with_itself(model):
    assert compare(model, list(model)).differences == ()


@given(MODELS, MODELS, MODELS)
def test_inputs_that_may_follow_one_another_may_follow_at_once(first, second, third):
    """A chain of compatible releases breaks no input of the first one's clients."""
    if compare(first, second).is_compatible and compare(second, third).is_compatible:
        broken = [one for one in compare(first, third).breaking if one.text.startswith("input")]
        assert broken == []


@given(MODELS, MODELS)
def test_only_equal_signatures_have_no_difference(one, other):
    assert bool(compare(one, other).differences) == (_canonical(one) != _canonical(other))


def _canonical(model):
    return {
        one.name: (
            {spec.alias: spec for spec in one.inputs},
            {spec.alias: spec for spec in one.outputs},
        )
        for one in model
    }


@given(MODELS, MODELS)
def test_the_verdict_agrees_with_the_differences(one, other):
    contract = compare(one, other)
    assert (contract.verdict is Effect.NONE) == contract.is_compatible
    if contract.verdict is Effect.ALL:
        assert contract.answered == ()
