"""Error texts quote a signature as the model's file defines it."""

import pytest
from cloudserve.local_server.inference.example_methods import (
    check_classification,
    check_regression,
)
from cloudserve.local_server.status import StatusError
from google.protobuf import text_format

from cloudserve.savedmodel.signature import read_signature

IN_FILE = """\
inputs {
  key: "words"
  value {
    name: "a:0"
    dtype: DT_STRING
    tensor_shape {
      dim {
        size: -1
        name: "batch"
      }
    }
  }
}
outputs {
  key: "wrong"
  value {
    name: "b:0"
    dtype: DT_FLOAT
  }
}
method_name: "tensorflow/serving/predict"
defaults {
  key: "words"
  value {
    dtype: DT_STRING
    tensor_shape {
    }
    string_val: "\\303\\251"
  }
}
"""


@pytest.fixture(scope="module")
def definition():
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    return text_format.Parse(IN_FILE, SignatureDef())


@pytest.mark.parametrize(
    ("check", "kind"), [(check_classification, "classification"), (check_regression, "regression")]
)
def test_a_wrong_input_quotes_the_definition(definition, check, kind):
    with pytest.raises(StatusError) as caught:
        check(read_signature("s", definition), definition)
    assert caught.value.message == f"No {kind} inputs found in SignatureDef: {IN_FILE}"


@pytest.mark.parametrize(
    ("check", "start"),
    [
        (
            check_classification,
            (
                'Expected classification signature outputs to contain at least one of "classes" or '
                '"scores". Signature was: '
            ),
        ),
        (check_regression, "No regression outputs found in SignatureDef: "),
    ],
)
def test_wrong_outputs_quote_the_definition(definition, check, start):
    text = IN_FILE.replace('"words"', '"inputs"')
    definition = text_format.Parse(text, type(definition)())
    with pytest.raises(StatusError) as caught:
        check(read_signature("s", definition), definition)
    assert caught.value.message == start + text
