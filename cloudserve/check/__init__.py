"""The check of a SavedModel's files: what a server or a platform will not do with them.

A rule is a function from a `Subject` to findings, in the module of its concern. No rule imports
TensorFlow or asks a platform. The command line, the API and the gate *load* may import this
package; `release.planning.server_check` adds what a target's server lacks.
"""
