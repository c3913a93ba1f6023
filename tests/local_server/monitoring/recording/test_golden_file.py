"""A golden file that grows: whole lines for its owner alone, and no other file is touched."""

import resource
import stat

import pytest
from cloudserve.local_server.monitoring.recording.golden_file import GoldenFile

from cloudserve.errors import UserError
from cloudserve.golden.file import Example, read_golden

LIMIT = 4096


@pytest.fixture
def path(tmp_path):
    return tmp_path / "half.golden.jsonl"


@pytest.fixture
def begin(path):
    """Open a file as a server does; what is open is closed at the end."""
    opened = []

    def begin(at=path):
        file = GoldenFile(at)
        file.open()
        opened.append(file)
        return file

    yield begin
    for file in opened:
        file.close()


def example(number, version=1):
    return Example({"instances": [number]}, {"predictions": [number]}, version=version)


def numbers(path):
    return [one.request["instances"][0] for one in read_golden(path).examples]


def test_a_new_file_is_for_its_owner_alone_and_names_the_model(begin, path):
    begin().append(example(1.0), "half")
    golden = read_golden(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (golden.header.model, golden.examples) == ("half", (example(1.0),))
    assert golden.header.recorded is not None


def test_each_example_is_in_the_file_at_once(begin, path):
    file = begin()
    for count in (1, 2, 3):
        file.append(example(float(count)), "half")
        assert len(read_golden(path).examples) == count


def test_a_file_without_examples_is_not_left(begin, path):
    begin().close()
    assert not path.exists()


def test_a_later_process_continues_the_file_and_counts_its_examples(begin, path):
    first = begin()
    first.append(example(1.0), "half")
    first.append(example(2.0, version=2), "half")
    first.close()
    later = begin()
    assert dict(later.counts) == {(1, "serving_default"): 1, (2, "serving_default"): 1}
    assert later.model == "half"
    later.append(example(3.0), "half")
    assert numbers(path) == [1.0, 2.0, 3.0]


def test_a_line_that_a_kill_cut_short_is_ignored_and_then_removed(begin, path):
    file = begin()
    file.append(example(1.0), "half")
    file.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"request":{"insta')
    golden = read_golden(path)
    assert (golden.examples, golden.is_cut) == ((example(1.0),), True)
    begin().append(example(2.0), "half")
    assert numbers(path) == [1.0, 2.0]
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize("cut", range(13, 40, 5))
def test_a_header_that_a_kill_cut_short_is_written_again(begin, path, cut):
    file = begin()
    file.append(example(1.0), "half")
    file.close()
    path.write_bytes(path.read_bytes()[:cut])
    begin().append(example(2.0), "half")
    assert numbers(path) == [2.0]


def test_a_last_line_without_an_end_of_line_is_kept(begin, path):
    file = begin()
    file.append(example(1.0), "half")
    file.close()
    path.write_bytes(path.read_bytes().rstrip())
    begin().append(example(2.0), "half")
    assert numbers(path) == [1.0, 2.0]


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'{"a": 1}\n', b'{"golden":9}\n'])
def test_another_file_is_refused_and_left_as_it_is(begin, path, content):
    path.write_bytes(content)
    with pytest.raises(UserError):
        begin()
    assert path.read_bytes() == content


def test_a_folder_as_golden_file_is_refused(begin, tmp_path):
    with pytest.raises(UserError, match="not a regular file"):
        begin(tmp_path)


def test_two_servers_do_not_write_to_one_file(begin, path):
    begin().append(example(1.0), "half")
    with pytest.raises(UserError, match="another server"):
        begin()
    assert numbers(path) == [1.0]


def test_a_file_that_was_moved_is_created_again(begin, path, tmp_path):
    file = begin()
    file.append(example(1.0), "half")
    path.rename(tmp_path / "old")
    file.append(example(2.0), "half")
    assert numbers(tmp_path / "old") == [1.0]
    assert numbers(path) == [2.0]
    assert read_golden(path).header.model == "half"


@pytest.fixture
def small_disk():
    """Refuse to write past 4 KiB of a file, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_no_part_of_an_example(begin, path):
    file = begin()
    file.append(example(1.0), "half")
    large = Example({"instances": ["x" * LIMIT]}, {"predictions": [0.0]}, version=1)
    with pytest.raises(OSError, match="File too large"):
        file.append(large, "half")
    assert numbers(path) == [1.0]
    file.append(example(2.0), "half")
    assert numbers(path) == [1.0, 2.0]
    assert file.counts[1, "serving_default"] == 2
