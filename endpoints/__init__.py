"""From a stage here to a Hugging Face Endpoint: the repository that it is made of, and its deployment."""
