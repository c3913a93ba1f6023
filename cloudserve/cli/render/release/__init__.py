"""Renderers of the commands in `commands/release`: plans, deployments, differences, collections."""
