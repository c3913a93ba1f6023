"""Texts of MLflow's errors show no secrets of URLs."""

import pytest
from cloudserve.adapters.mlflow.texts import first_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:p@ss@host/x failed\nmore", "https://host/x failed"),
        ("https://token@host/x failed", "https://host/x failed"),
        ("postgresql://u:p/w@h/db is down", "postgresql://h/db is down"),
        (
            "403 for url: https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&x=1",
            "403 for url: https://b.s3.amazonaws.com/k?…",
        ),
        (
            "retries exceeded with url: /k?sig=abc (timeout)",
            "retries exceeded with url: /k?… (timeout)",
        ),
        ("is it there?", "is it there?"),
        ("", "ValueError"),
    ],
)
def test_users_passwords_and_queries_are_left_out(text, shown):
    assert first_line(ValueError(text)) == shown
