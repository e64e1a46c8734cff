"""The shapes of the built-in model, for tests that see it from outside and load no Keras."""

SIDE = 128
SIZE = f"{SIDE}x{SIDE}"
PICTURE = (SIDE, SIDE)
IMAGE = (SIDE, SIDE, 3)
MASK = (SIDE, SIDE, 1)
LATENT = (16, 16, 4)
CONTEXT = (77, 128)
