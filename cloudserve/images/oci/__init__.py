"""Container images without Docker: layers, manifests, layouts, and a client of registries.

references   names of images: registry, repository, tag, digest
layers       files as reproducible layers
wheels       packages as files of a layer
manifest     the configuration and the manifest of an image
credentials  user names and passwords, from the environment and from Docker's configuration
session      HTTP requests to one registry, with its token authentication
registry     manifests and blobs of one repository
layout       an image as a directory
build        an image of a base, packages and a model; its upload
"""
