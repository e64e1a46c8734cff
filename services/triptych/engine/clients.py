"""How much each client has had, so that turns are fair."""

from collections.abc import Iterable


class Clients:
    """Rows served to each client that has work here; one that comes new starts with who has had least."""

    def __init__(self) -> None:
        self.served: dict[str, float] = {}

    def arrive(self, client: str) -> None:
        """It has work now."""
        if client not in self.served:
            self.served[client] = min(self.served.values(), default=0.0)

    def serve(self, client: str, rows: int) -> None:
        """So many rows of a call were its."""
        self.served[client] = self.served.get(client, 0.0) + rows

    def keep(self, present: Iterable[str]) -> None:
        """Forget all but these, which are the ones that have work."""
        present = set(present)
        self.served = {client: rows for client, rows in self.served.items() if client in present}
