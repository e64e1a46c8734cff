"""Hugging Face's inference API for pictures, and the contract of the all-in-one handler."""
