"""Class names are read from constants, tables and assets, and their changes are distinguished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloudserve.savedmodel import Effect, Vocabulary, compare_interfaces, proto, read_interface
from cloudserve.savedmodel.interface import compare_vocabularies


def classes(path):
    return {
        (one.signature, one.output): one.classes for one in read_interface(Path(path)).vocabularies
    }


@pytest.mark.parametrize("form", ["constant", "table", "asset"])
def test_the_names_of_a_lookup_are_read_without_tensorflow(oracle, form):
    assert classes(oracle["labelled"][form]) == {
        ("serving_default", "label"): ("cat", "dog", "eel")
    }


def test_the_numbers_of_an_estimator_without_a_vocabulary_are_its_classes(shared_models):
    result = classes(shared_models / "tfx_taxi_estimator" / "1646034756")
    assert result == {
        ("classification", "classes"): ("0", "1"),
        ("predict", "all_classes"): ("0", "1"),
        ("serving_default", "classes"): ("0", "1"),
    }


def test_a_missing_asset_leaves_the_vocabulary_unknown(oracle, tmp_path):
    path = shutil.copytree(oracle["labelled"]["asset"], tmp_path / "1")
    (path / "assets" / "labels.txt").unlink()
    assert classes(path) == {}


@pytest.mark.parametrize("name", ["../labels.txt", "/etc/hostname"])
def test_an_asset_outside_the_model_is_not_read(oracle, tmp_path, name):
    path = shutil.copytree(oracle["labelled"]["asset"], tmp_path / "model" / "1")
    (path / "labels.txt").write_text("secret\nother\n")
    message = proto.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    message.meta_graphs[0].asset_file_def[0].filename = name
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    assert classes(path) == {}


def test_an_asset_with_other_names_changes_the_contract(oracle, tmp_path):
    live = Path(oracle["labelled"]["asset"])
    new = shutil.copytree(live, tmp_path / "1")
    (new / "assets" / "labels.txt").write_text("cat\ndog\nfox\n")
    contract = compare_interfaces(read_interface(live), read_interface(new))
    assert [one.text for one in contract.differences] == [
        "output label: 1 class (eel) is missing, and 1 class (fox) added"
    ]
    assert contract.answered == (
        "signature serving_default: requests whose class is in both vocabularies of label",
    )


@pytest.mark.parametrize(
    ("after", "effect", "text"),
    [
        ("abc", None, None),
        ("abcd", Effect.NONE, "output y: 1 class (d) added at the end"),
        ("abcdefg", Effect.NONE, "output y: 4 classes (d, e, f, …) added at the end"),
        ("bac", Effect.SOME, "output y: the classes have another order"),
        ("dabc", Effect.SOME, "output y: the classes have another order, and 1 class (d) added"),
        ("ab", Effect.SOME, "output y: 1 class (c) is missing"),
        (
            "xyz",
            Effect.SOME,
            "output y: 3 classes (a, b, c) are missing, and 3 classes (x, y, z) added",
        ),
    ],
)
def test_only_classes_added_at_the_end_leave_clients_alone(after, effect, text):
    live, new = (Vocabulary("s", "y", tuple(names)) for names in ("abc", after))
    results = [(one.effect, one.text) for one in compare_vocabularies([live], [new])]
    assert results == ([] if text is None else [(effect, text)])


def test_a_vocabulary_that_only_one_version_shows_is_not_compared():
    live = Vocabulary("s", "y", ("a", "b"))
    assert list(compare_vocabularies([live], [])) == []
    assert list(compare_vocabularies([], [live])) == []
