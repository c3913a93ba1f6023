"""Payloads as arrays, JSON and protobuf messages, and where a command line takes them from."""
