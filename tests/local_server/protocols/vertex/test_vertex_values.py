"""Instances as a protobuf Value writes them: large ones in pieces, the same as at once."""

import msgspec
import pytest
from cloudserve.local_server.codecs.large import outline
from cloudserve.local_server.protocols.vertex import predict
from cloudserve.local_server.protocols.vertex.predict import read_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

leaves = (
    st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([1.0, 0.5, 1e300, 10**17, -0.0])
    | st.text(max_size=3)
    | st.booleans()
    | st.none()
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=20,
)


@given(st.lists(values, min_size=1), st.sampled_from([1, 5, 20, 100]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_large_instances_are_rewritten_as_small_ones_are(monkeypatch, instances, run_bytes):
    text = msgspec.json.encode(instances)
    expected = predict._rewritten(text)
    with monkeypatch.context() as patch:
        patch.setattr(predict, "WHOLE_BYTES", 0)
        patch.setattr(outline, "RUN_BYTES", run_bytes)
        assert predict._rewritten(text) == expected


@pytest.mark.parametrize("number", [b"1.0", b"2.000", b"1e3", b"12345678901234567"])
@pytest.mark.parametrize("zeros", [0, 65_520, 65_536, 131_100])
def test_a_number_to_be_rewritten_is_found_wherever_it_is(number, zeros):
    body = b'{"instances": [%b%b]}' % (b"0," * (zeros // 2), number)
    (value,) = msgspec.json.decode(read_request(body).to_container())["instances"][-1:]
    assert value == float(number)
    written = read_request(body).to_container()
    assert written.endswith(msgspec.json.encode(int(float(number))) + b"]}")
