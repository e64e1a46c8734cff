"""A fake of Hugging Face's cloud: an Inference Endpoint that runs a real bundle, behind a proxy.

`server` is what runs in an endpoint's container, a process of its own that has the bundle and nothing of
this repository; `front` is the platform's proxy before it; `endpoint` is the two together, and what
state they are in.
"""

from .endpoint import TOKEN, FakeEndpoint, fake_endpoint

__all__ = ["TOKEN", "FakeEndpoint", "fake_endpoint"]
