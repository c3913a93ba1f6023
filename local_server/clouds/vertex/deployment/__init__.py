"""Deployed models: machines, traffic splits and online predictions."""
