"""What these tests compute in their own process, they compute on OpenVINO: there models are built and
compiled in a third of the time. The other backends have tests in processes of their own, and tests/parity."""

import os

os.environ.setdefault("KERAS_BACKEND", "openvino")
