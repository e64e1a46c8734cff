"""Serves one stage handler over HTTP, as a Hugging Face Inference Endpoint would."""
