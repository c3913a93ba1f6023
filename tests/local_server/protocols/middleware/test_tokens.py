"""Token files: what a token is, which files are refused, and rotation while the server runs."""

import logging
import string

import pytest
from cloudserve.local_server.protocols.middleware.tokens import Tokens
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError

SECRET = "s3cret-token"


class Clock:
    """A time that a test moves."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    """Replace a token file atomically; return its path."""
    path = tmp_path / "tokens"

    def put(text, mode=0o600):
        fresh = tmp_path / "fresh"
        fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
        fresh.chmod(mode)
        fresh.replace(path)
        return path

    return put


def allowed(tokens, *words):
    return [word for word in words if tokens.allow(f"Bearer {word}")]


# What is allowed.


def test_each_line_is_a_token_and_comments_and_empty_lines_are_none(file):
    text = "# who: when\n\n  one  \ntwo==\r\n#three\n"
    tokens = Tokens(file(text))
    assert allowed(tokens, "one", "two==", "three", "#three", "who", "") == ["one", "two=="]


@pytest.mark.parametrize(
    ("credentials", "is_allowed"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer {SECRET}", True),
        (f"BEARER   {SECRET} ", True),
        (None, False),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        (SECRET, False),
        (f"Bearer{SECRET}", False),
        (f"Basic {SECRET}", False),
        (f"Bearer {SECRET[:-1]}", False),
        (f"Bearer {SECRET}x", False),
        (f"Bearer {SECRET.upper()}", False),
        (f"Bearer {SECRET}, Bearer {SECRET}", False),
        (f"Bearer {SECRET}\n", False),
        (f"Bearer {SECRET} x", False),
        ("Bearer é", False),
        ("Bearer \ud800", False),
    ],
)
def test_credentials_are_the_scheme_and_one_token(file, credentials, is_allowed):
    assert Tokens(file(SECRET)).allow(credentials) is is_allowed


@given(
    credentials=st.text(), tokens=st.lists(st.text(string.ascii_letters, min_size=1), min_size=1)
)
def test_nothing_but_a_token_is_allowed(tmp_path_factory, credentials, tokens):
    path = tmp_path_factory.mktemp("t") / "tokens"
    path.write_text("\n".join(tokens))
    path.chmod(0o600)
    served = Tokens(path)
    assert served.allow(credentials) is (credentials.strip(" ") in bearers(credentials, tokens))
    assert all(served.allow(f"Bearer {token}") for token in tokens)


def bearers(credentials, tokens):
    """Return the credentials that hold one of the tokens, in the scheme's case as it was given."""
    scheme = credentials[:6]
    return {f"{scheme} {token}" for token in tokens} if scheme.lower() == "bearer" else set()


# Files that are refused.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the token file has no token in it"),
        ("# one\n\n", "the token file has no token in it"),
        (f"one\n{SECRET} two\n", "line 2 of the token file is not a bearer token"),
        (f"{SECRET}\x00", "line 1 of the token file is not a bearer token"),
        (b"\xff" + SECRET.encode(), "line 1 of the token file is not a bearer token"),
        ("=" + SECRET, "line 1 of the token file is not a bearer token"),
        ("x\n" * (2**19 + 1), "the token file is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_not_a_token_file_is_reported_without_its_content(file, text, message):
    with pytest.raises(UserError) as caught:
        Tokens(file(text))
    assert caught.value.message == message
    assert caught.value.where.endswith("tokens")
    assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_a_file_that_cannot_be_read_is_reported(tmp_path):
    for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=f"the token file cannot be read: {reason}"):
            Tokens(path)


@pytest.mark.parametrize(
    ("mode", "is_told"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)]
)
def test_a_file_that_everyone_can_read_or_write_is_logged(file, mode, is_told, caplog):
    Tokens(file(SECRET, mode))
    assert ("is open to every user of this machine" in caplog.text) is is_told
    assert SECRET not in caplog.text


def test_nothing_prints_a_token(file):
    tokens = Tokens(file(SECRET))
    assert SECRET not in f"{tokens!r} {vars(tokens)}"


# Rotation.


def test_a_new_file_takes_effect_within_a_second_and_without_a_restart(file, clock, caplog):
    caplog.set_level(logging.INFO)
    tokens = Tokens(file("old"), clock)
    file("old\nnew")
    clock.time = 0.9
    assert allowed(tokens, "old", "new") == ["old"]
    clock.time = 1.0
    assert allowed(tokens, "old", "new") == ["old", "new"]
    file("new")
    clock.time = 2.0
    assert allowed(tokens, "old", "new") == ["new"]
    assert "tokens was read again" in caplog.text


def test_a_file_that_is_written_in_place_takes_effect_too(file, clock):
    path = file("old")
    tokens = Tokens(path, clock)
    path.write_text("newer")
    clock.time = 1.0
    assert allowed(tokens, "old", "newer") == ["newer"]


@pytest.mark.parametrize("text", ["", "# none\n", "not a token", None])
def test_a_file_that_cannot_be_used_keeps_the_previous_tokens_and_is_reported_once(
    file, clock, caplog, text
):
    path = file("old")
    tokens = Tokens(path, clock)
    if text is None:
        path.unlink()
    else:
        file(text)
    for second in (1.0, 2.0, 3.0):
        clock.time = second
        assert allowed(tokens, "old") == ["old"]
    assert caplog.text.count(f"keeping the previous tokens: {path}: ") == 1
    file("new")
    clock.time = 4.0
    assert allowed(tokens, "old", "new") == ["new"]


def test_a_link_that_is_turned_to_another_file_is_followed(tmp_path, clock):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to("a")
    tokens = Tokens(link, clock)
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").replace(link)
    clock.time = 1.0
    assert allowed(tokens, "a", "b") == ["b"]
