"""Canaries: a promotion in steps, each decided by evidence from requests to both revisions.

`run` has the verb, `evidence` the statistics. The command line imports `run`; nothing in
`cloudserve.release` outside this folder does.
"""
