"""The command `triptych`: pictures from any gateway, of which it knows nothing but its HTTP."""

__version__ = "0.1.0"
