"""The pure parts: traffic splits, record files, the shapes of instances, protobuf's numbers."""

from __future__ import annotations

import io
import json
import random
from collections import Counter

import pytest
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.clouds.google.common.messages import name_of
from cloudserve.local_server.clouds.vertex.batch.instances import (
    InstanceError,
    Shape,
    batches,
    read_tf_records,
)
from cloudserve.local_server.clouds.vertex.deployment.traffic import check_split, choose, with_new
from cloudserve.local_server.protocols.vertex.predict import VertexRequest, read_request
from cloudserve.local_server.status import StatusError
from hypothesis import given
from hypothesis import strategies as st


class TestTraffic:
    @given(st.dictionaries(st.text("012", min_size=1, max_size=2), st.integers(-10, 110)))
    def test_a_split_passes_only_when_it_is_whole(self, split):
        deployed = {"0", "1", "2", "11"}
        is_whole = sum(split.values()) == 100 and all(0 <= s <= 100 for s in split.values())
        if not split or (is_whole and split.keys() <= deployed):
            check_split(split, deployed)
        else:
            with pytest.raises(ApiError):
                check_split(split, deployed)

    def test_the_new_deployment_takes_the_place_of_zero(self):
        assert with_new({"0": 10, "7": 90}, "8") == {"8": 10, "7": 90}

    def test_a_share_of_zero_is_never_drawn(self):
        chance = random.Random(1)
        drawn = Counter(choose({"a": 0, "b": 25, "c": 75}, chance) for _ in range(2000))
        assert drawn["a"] == 0
        assert 400 < drawn["b"] < 600


def tf_records(records: list[bytes], tmp_path_factory) -> bytes:
    import tensorflow as tf

    path = tmp_path_factory.mktemp("records") / "file"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path.read_bytes()


class TestTfRecords:
    @pytest.mark.parametrize("records", [[], [b""], [b"a", b"", b"\xff" * 1000]])
    def test_tensorflows_record_files_are_read(self, records, tmp_path_factory):
        data = tf_records(records, tmp_path_factory)
        assert list(read_tf_records(io.BytesIO(data))) == records

    def test_every_cut_and_every_flipped_byte_is_noticed(self, tmp_path_factory):
        whole = tf_records([b"abc", b"defg"], tmp_path_factory)
        first = len(tf_records([b"abc"], tmp_path_factory))
        for end in range(1, len(whole)):
            if end != first:
                with pytest.raises(InstanceError):
                    list(read_tf_records(io.BytesIO(whole[:end])))
        for index in range(len(whole)):
            damaged = bytearray(whole)
            damaged[index] ^= 1
            with pytest.raises(InstanceError):
                list(read_tf_records(io.BytesIO(damaged)))

    @given(st.binary())
    def test_any_bytes_are_records_or_refused(self, data):
        try:
            read = list(read_tf_records(io.BytesIO(data)))
        except InstanceError:
            return
        assert sum(16 + len(record) for record in read) == len(data)


class TestShapes:
    @pytest.mark.parametrize(
        ("config", "record", "sent", "label"),
        [
            ({}, "[1, 2]", "[1, 2]", '"instance":[1, 2]'),
            ({}, '{"a": 1}', '{"a": 1}', '"instance":{"a": 1}'),
            ({"instanceType": "object"}, '{"a":1}', '{"a":1}', '"instance":{"a":1}'),
            ({"instanceType": "array"}, "[1]", "[1]", '"instance":[1]'),
            (
                {"instanceType": "array", "includedFields": ["b", "a"]},
                '{"a":1,"b":2,"c":3}',
                "[2,1]",
                '"instance":{"a":1,"b":2,"c":3}',
            ),
            ({"includedFields": ["b"]}, '{"a":1,"b":2}', '{"b":2}', '"instance":{"a":1,"b":2}'),
            ({"keyField": "k"}, '{"a":1,"k":"x"}', '{"a":1}', '"key":"x"'),
            (
                {"keyField": "k", "excludedFields": ["b"]},
                '{"a":1,"b":2,"k":7}',
                '{"a":1}',
                '"key":7',
            ),
        ],
    )
    def test_records_become_instances(self, config, record, sent, label):
        instance = Shape.of(config).instance(record.encode())
        assert (instance.sent.decode(), instance.label.decode()) == (sent, label)

    @pytest.mark.parametrize(
        ("config", "record"),
        [
            ({}, "nope"),
            ({"instanceType": "object"}, "[1]"),
            ({"instanceType": "array"}, '{"a":1}'),
            ({"keyField": "k"}, '{"a":1}'),
            ({"includedFields": ["b"]}, '{"a":1}'),
            ({"keyField": "k"}, "[1]"),
        ],
    )
    def test_records_that_do_not_fit_are_refused(self, config, record):
        with pytest.raises(InstanceError):
            Shape.of(config).instance(record.encode())

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError, match="neither"):
            Shape.of({"instanceType": "row"})

    @given(st.lists(st.binary(max_size=2)), st.integers(1, 5))
    def test_batches_keep_order_and_size(self, records, size):
        results = list(batches(iter(records), size))
        assert [record for batch in results for record in batch] == records
        assert all(len(batch) == size for batch in results[:-1])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class TestProtobufsNumbers:
    @given(st.lists(VALUES))
    def test_a_container_gets_what_a_protobuf_value_holds(self, instances):
        """Against protobuf's own Value, which is what the service keeps instances in."""
        from google.protobuf import json_format, struct_pb2

        body = json.dumps({"instances": instances}).encode()
        request = read_request(body)
        assert request is not None
        original = json.loads(request.to_container())["instances"]
        held = json_format.Parse(json.dumps(instances), struct_pb2.ListValue())
        assert original == json_format.MessageToDict(held)

    def test_an_integral_float_becomes_an_integer(self):
        request = read_request(b'{"instances":[1.0,-0.0,1e3,9007199254740993,1.5]}')
        assert request is not None
        assert request.to_container() == b'{"instances":[1,0,1000,9007199254740992,1.5]}'

    def test_a_signature_goes_to_the_container(self):
        request = read_request(b'{"instances":[1],"parameters":{"signature_name":"s\\""}}')
        assert request is not None
        assert json.loads(request.to_container()) == {"signature_name": 's"', "instances": [1]}

    @given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
    def test_any_bytes_are_a_request_or_left_to_the_schema(self, body):
        request = read_request(body)
        if request is not None:
            try:
                json.loads(request.to_container())
            except StatusError as error:
                assert "JSON" in error.message

    def test_a_number_past_every_double_is_refused(self):
        request = VertexRequest(instances=b"[1" + b"0" * 400 + b"]")
        with pytest.raises(StatusError, match="TYPE_DOUBLE"):
            request.to_container()


def test_enum_numbers_are_those_of_googles_own_types(aiplatform):
    from google.cloud.aiplatform_v1.types import AcceleratorType

    enum = "GoogleCloudAiplatformV1MachineSpec.AcceleratorType"
    assert {e.name: name_of(enum, [], e.value) for e in AcceleratorType} == {
        e.name: e.name for e in AcceleratorType
    }
