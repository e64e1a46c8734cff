"""Requests that wait: handed in, watched, fetched later."""
