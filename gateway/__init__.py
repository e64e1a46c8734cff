"""The web API of Triptych: it hangs the stages together and holds no model code."""

__version__ = "0.1.0"
