"""Faults made on purpose in a real stack: what the client sees, that it heals, that nothing accepted is lost.

`python -m tests.faults` (`make faults`) goes through all of them and writes docs/operations/faults.md; the
tests beside it go through the quick ones.
"""
