"""Which signatures the event loop may answer: those whose cost hangs on sizes alone."""

import pytest
from cloudserve.local_server.runtime.session import load_model
from cloudserve.local_server.runtime.tensorflow import import_tensorflow


@pytest.fixture(scope="module")
def tf():
    return import_tensorflow()


def written_as_functions(tf, path):
    """Save a layer, a loop of as many turns as a value says, and a vector as long as one says.

    A row is padded by a constant, and by a value.
    """
    module = tf.Module()
    module.weights = tf.Variable(tf.ones((2, 3)))
    rows, number = tf.TensorSpec((None, 2), tf.float32), tf.TensorSpec((), tf.float32)

    @tf.function
    def turns(x):
        return tf.while_loop(lambda i: i < x, lambda i: [i + 1.0], [tf.constant(0.0)])[0]

    layer = tf.function(
        lambda x: {"y": tf.nn.relu(x @ module.weights)}, input_signature=[rows]
    ).get_concrete_function()
    loop = tf.function(lambda x: {"y": turns(x)}, input_signature=[number]).get_concrete_function()
    long = tf.function(
        lambda x: {"y": tf.range(x)}, input_signature=[number]
    ).get_concrete_function()
    pads = tf.TensorSpec((2, 2), tf.int32)
    padded = tf.function(
        lambda x: {"y": tf.pad(x, [[0, 0], [1, 1]])}, input_signature=[rows]
    ).get_concrete_function()
    wide = tf.function(
        lambda x, pads: {"y": tf.pad(x, pads)}, input_signature=[rows, pads]
    ).get_concrete_function()
    signatures = {"layer": layer, "loop": loop, "long": long, "padded": padded, "wide": wide}
    tf.saved_model.save(module, str(path), signatures)


def written_as_a_graph(tf, path):
    """Save a TF 1 graph with a way through a loop, and one past it."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, (), "x")
            loop = v1.while_loop(lambda i: i < x, lambda i: i + 1.0, [tf.constant(0.0)])
            definitions = {
                name: v1.saved_model.predict_signature_def({"x": x}, {"y": y})
                for name, y in (("past", x * 2.0), ("loop", loop))
            }
            # What is fed ends the way back: what would have made it does not run.
            definitions["fed"] = v1.saved_model.predict_signature_def({"i": loop}, {"y": loop + 1})
        finally:
            v1.enable_control_flow_v2()
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], definitions)
        builder.save()


def test_loops_and_shapes_made_of_values_are_found_inside_of_functions(tf, tmp_path):
    written_as_functions(tf, tmp_path / "m")
    model = load_model(tmp_path / "m")
    try:
        assert model.steady - {"__saved_model_init_op"} == {"layer", "padded"}
    finally:
        model.close()


def test_only_what_a_signature_runs_counts(tf, tmp_path):
    written_as_a_graph(tf, tmp_path / "m")
    model = load_model(tmp_path / "m")
    try:
        assert model.steady == {"past", "fed"}
    finally:
        model.close()


def test_every_listed_op_is_one_of_tensorflows(tf):
    from cloudserve.local_server.runtime.loading.steady import SIZED_OPS, STEADY_OPS
    from tensorflow.python.framework import op_def_registry

    assert {
        name for name in STEADY_OPS | set(SIZED_OPS) if op_def_registry.get(name) is None
    } == set()


def test_parsing_examples_is_not_steady(shared_models):
    model = load_model(shared_models / "tfs_half_plus_two_cpu" / "123")
    try:
        assert "serving_default" in model.steady
        assert "regress_x_to_y" not in model.steady
    finally:
        model.close()
