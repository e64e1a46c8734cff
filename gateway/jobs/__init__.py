"""Requests that are kept until they are done: they wait, survive the gateway, and are asked after later."""
