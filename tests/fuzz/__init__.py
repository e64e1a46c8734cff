"""Inputs that nobody thought of: for the APIs by their OpenAPI, for tensors, pictures and settings by their
properties, for the decoders of untrusted bytes by coverage.

The tests are bounded and always the same; `make fuzz` (`python -m tests.fuzz`) looks for longer.
"""
