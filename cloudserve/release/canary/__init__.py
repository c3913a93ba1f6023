"""Canaries: a promotion in steps, each decided by evidence from requests to both revisions.

`run` has the verb, `watch` one step, `evidence` the statistics. The command line imports `run`; the
ledger imports `record`, which is data, and nothing else outside this folder does.
"""
