"""The API of AUTOMATIC1111's web UI, as the many programs that draw with it speak it."""
