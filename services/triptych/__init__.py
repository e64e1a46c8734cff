"""Stable Diffusion in parts: what the stage handlers share."""

__version__ = "0.1.0"
