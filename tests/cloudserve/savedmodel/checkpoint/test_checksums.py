"""The checksums of tensors: what TensorFlow refuses to restore is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import google_crc32c

from cloudserve.savedmodel.checkpoint.checksums import damaged_tensors

EXTEND = google_crc32c.extend


def test_each_changed_byte_is_found_in_the_tensors_that_tensorflow_refuses(oracle):
    folder, refused = Path(oracle["damaged"]["folder"]), oracle["damaged"]["refused"]
    (shard,) = folder.glob("variables/variables.data-*")
    saved = shard.read_bytes()
    assert damaged_tensors(folder, EXTEND) == ()
    assert {name for names in refused for name in names} == {"floats", "half", "words"}
    for position, names in enumerate(refused):
        changed = bytearray(saved)
        changed[position] ^= 1
        shard.write_bytes(changed)
        assert list(damaged_tensors(folder, EXTEND)) == names, position
    shard.write_bytes(saved)


def test_the_variables_of_real_models_are_sound(shared_models):
    folders = [index.parent.parent for index in shared_models.glob("*/*/variables/variables.index")]
    whole = [path for path in folders if list(path.glob("variables/variables.data-*"))]
    assert len(whole) >= 10
    assert [path for path in whole if damaged_tensors(path, EXTEND)] == []
