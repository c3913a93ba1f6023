"""The sentences at the end of an intercepted command."""

import pytest

from cloudserve.local.interception import Interception


@pytest.mark.parametrize(
    ("interception", "sentences"),
    [
        (
            Interception(0),
            [
                (
                    "no request came through the proxy: "
                    "the command sent none, or it ignores HTTPS_PROXY"
                )
            ],
        ),
        (Interception(1), ["1 request was answered by the offline clouds"]),
        (
            Interception(2, {"pypi.org": 2}, {"ec2": 1}, {"sts.amazonaws.com": 3}),
            [
                "2 requests were answered by the offline clouds",
                "2 requests to hosts outside the rehearsal were refused: pypi.org",
                "1 request to services that are not available offline was refused: ec2",
                (
                    "3 connections failed, because the client trusts other certificate "
                    "authorities: sts.amazonaws.com"
                ),
            ],
        ),
    ],
)
def test_the_sentences_count_and_name(interception, sentences):
    assert list(interception.sentences()) == sentences


def test_many_hosts_are_counted():
    hosts = {f"host-{number:02}.test": 1 for number in range(12)}
    sentence = list(Interception(0, hosts).sentences())[1]
    assert sentence.startswith("12 requests to hosts outside the rehearsal were refused: host-00")
    assert sentence.endswith("host-09.test and 2 more")
