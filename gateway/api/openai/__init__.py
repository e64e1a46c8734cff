"""OpenAI's Images API, as its own clients speak it."""
