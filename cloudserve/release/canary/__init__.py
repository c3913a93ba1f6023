"""Canaries: a promotion in steps, each decided by evidence from requests to both revisions.

`run` has the verb, `watch` one step, `evidence` the statistics. The command line imports `run`; the
ledger imports `record` and the project file `rules`, which are data. Nothing else outside this
folder imports from it.
"""
