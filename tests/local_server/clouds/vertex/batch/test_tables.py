"""The values in rows of CSV."""

import pytest
from cloudserve.local_server.clouds.vertex.batch.instances import InstanceError
from cloudserve.local_server.clouds.vertex.batch.tables import Rows

COLUMNS = Rows(("a", "b"), "")


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        (b'-1.5e3,"x"', b'[-1500.0,"x"]'),
        (b' 2 ,"1_000"', b'[2.0,"1_000"]'),
        ('"٣","a"",_b"'.encode(), '["٣","a\\",_b"]'.encode()),
    ],
)
def test_numbers_and_quoted_text_are_sent(row, sent):
    assert COLUMNS.instance(row).sent == sent


@pytest.mark.parametrize("number", ["1_000", "٣", "0x1", "nan", "1e999", "text"])
def test_any_other_text_without_quotes_is_refused(number):
    with pytest.raises(InstanceError, match="The row "):
        COLUMNS.instance(f'{number},"x"'.encode())
