"""`python -m gateway.healthcheck`: exit status 0 if the gateway in this container can be called, else 1."""

import http.client
import os
import sys


def is_ready(port: int) -> bool:
    """Whether GET /ready on this machine's `port` answers 200 within 5 seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(os.environ.get("GATEWAY_PORT", "8000"))) else 1)
