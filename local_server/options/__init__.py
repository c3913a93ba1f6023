"""What a model server is started with: from flags, or from a path on disk.

`server_options` are the resolved options; `flags` reads tensorflow_model_server's command line by
`flag_table`, `flag_options` turns it into options, `serve_options` does so for a path. Imported by
the composition root and, by name, by the command line, which reads flags before a server's parts
are there: so nothing is imported here.
"""
