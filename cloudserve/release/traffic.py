"""Shares of the traffic as whole percents, as platforms take them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

ALL = 100


def percents(shares: Mapping[str, float]) -> dict[str, int]:
    """Return shares that sum to 1 as whole percents that sum to 100, without shares of 0.

    The largest remainders are rounded up.
    """
    total = sum(share for share in shares.values() if share > 0)
    exact = {name: share * ALL / total for name, share in shares.items() if share > 0}
    return _rounded(exact, ALL) if exact else {}


def split(shares: Mapping[str, float], chosen: str, percent: int) -> dict[str, int]:
    """Give one revision a percentage; the others share the rest as they shared it before.

    If no other has traffic, the chosen one gets all.
    """
    others = {name: share for name, share in shares.items() if name != chosen and share > 0}
    if percent >= ALL or not others:
        return {chosen: ALL}
    rest, total = ALL - percent, sum(others.values())
    exact = {name: share * rest / total for name, share in others.items()}
    rounded = {chosen: percent, **_rounded(exact, rest)}
    return {name: share for name, share in rounded.items() if share}


def _rounded(exact: Mapping[str, float], total: int) -> dict[str, int]:
    whole = {name: int(share + 1e-9) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return {name: share for name, share in whole.items() if share}
