"""Small TensorFlow Lite and ONNX models, made without a converter."""

from __future__ import annotations

import pytest

HALF, TWO = 0.5, 2.0


def tflite_bytes(change=None, *, name="serving_default", dtype=None, definitions=None):
    """Return x / 2 + 2 over `float32[?]`, whose signature has the inputs `x` and outputs `y`.

    `change` gets the schema's object of the model. `name` is the signature's, None for no
    signature. `definitions` are SignatureDef messages for TensorFlow Serving's metadata.
    """
    pytest.importorskip("ai_edge_litert", reason="pip install 'cloudserve[tflite]'")
    import flatbuffers
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    def made(kind, **values):
        made_object = getattr(schema, f"{kind}T")()
        for key, value in values.items():
            setattr(made_object, key, value)
        return made_object

    def tensor(tensor_name, *, shape, buffer=0, open_shape=None):
        number = schema.TensorType.FLOAT32 if dtype is None else dtype
        return made(
            "Tensor",
            name=tensor_name,
            shape=shape,
            type=number,
            buffer=buffer,
            shapeSignature=open_shape,
        )

    def constant(value):
        return made("Buffer", data=list(np.float32(value).tobytes()))

    ops = schema.BuiltinOperator
    model = made(
        "Model",
        version=3,
        operatorCodes=[
            made("OperatorCode", builtinCode=code, deprecatedBuiltinCode=code, version=1)
            for code in (ops.MUL, ops.ADD)
        ],
        buffers=[made("Buffer"), constant(HALF), constant(TWO)],
        subgraphs=[
            made(
                "SubGraph",
                tensors=[
                    tensor("serving_default_x:0", shape=[1], open_shape=[-1]),
                    tensor("half", shape=[], buffer=1),
                    tensor("two", shape=[], buffer=2),
                    tensor("product", shape=[1], open_shape=[-1]),
                    tensor("PartitionedCall:0", shape=[1], open_shape=[-1]),
                ],
                inputs=[0],
                outputs=[4],
                operators=[
                    made("Operator", opcodeIndex=0, inputs=[0, 1], outputs=[3]),
                    made("Operator", opcodeIndex=1, inputs=[3, 2], outputs=[4]),
                ],
            )
        ],
    )
    if name is not None:
        model.signatureDefs = [
            made(
                "SignatureDef",
                signatureKey=name,
                inputs=[made("TensorMap", name="x", tensorIndex=0)],
                outputs=[made("TensorMap", name="y", tensorIndex=4)],
            )
        ]
    if definitions:
        packed = flexbuffer_map(definitions)
        model.buffers.append(made("Buffer", data=list(packed)))
        model.metadata = [
            made("Metadata", name="signature_defs_metadata", buffer=len(model.buffers) - 1)
        ]
    if change:
        change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def flexbuffer_map(values):
    """Return a FlexBuffers map of byte strings, as TensorFlow Serving's metadata has."""
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for key in sorted(values):
            builder.Key(key)
            builder.Blob(values[key])
    return bytes(builder.Finish())


def onnx_model(nodes=None, *, inputs=None, outputs=None, initializers=None, opset=17, ir=8):
    """Return x / 2 + 2 over `float32[n]`, or a model of other parts, as onnx's message."""
    onnx = pytest.importorskip("onnx", reason="pip install onnx")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    if nodes is None:
        nodes = [
            helper.make_node("Mul", ["x", "half"], ["product"]),
            helper.make_node("Add", ["product", "two"], ["y"]),
        ]
        initializers = [
            numpy_helper.from_array(np.float32(value), key)
            for key, value in (("half", HALF), ("two", TWO))
        ]
    graph = helper.make_graph(
        nodes,
        "graph",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        outputs or [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        initializers or [],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def onnx_identity(dtype, shape=("n",)):
    """Return a model that answers its input `x` as `y`, of an element type of TensorProto."""
    pytest.importorskip("onnx", reason="pip install onnx")
    from onnx import TensorProto, helper

    number = getattr(TensorProto, dtype)
    return onnx_model(
        [helper.make_node("Identity", ["x"], ["y"])],
        inputs=[helper.make_tensor_value_info("x", number, list(shape))],
        outputs=[helper.make_tensor_value_info("y", number, list(shape))],
        opset=21,
        ir=10,
    )


def write(path, data):
    """Write a file and the folders above it, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
