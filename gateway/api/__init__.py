"""What the gateway speaks: each module translates one dialect, and calls no stage itself."""
