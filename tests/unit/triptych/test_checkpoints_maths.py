"""keras-cv's layers computing as the checkpoints' own code does, against formulas."""

import math

import keras
import numpy as np

from tests.checkpoint_files import small_text_encoder
from triptych.checkpoints.maths import match_checkpoint
from triptych.models import kerascv

RNG = np.random.default_rng(0)


def exact_gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def test_the_unets_gated_layers_use_the_error_function() -> None:
    latent, context = keras.Input((2, 2, 32)), keras.Input((3, 16))
    layer = kerascv.SpatialTransformer(2, 16)
    match_checkpoint(keras.Model([latent, context], layer([latent, context])), "diffusion")
    gated = layer.transformer_block.geglu
    x = RNG.standard_normal((1, 4, 32), np.float32)
    values, gate = np.split(np.asarray(gated.dense(x)), 2, axis=-1)
    np.testing.assert_allclose(gated(x), values * np.vectorize(exact_gelu)(gate), rtol=1e-5, atol=1e-6)
    assert layer.norm.epsilon == 1e-6


def test_version_2s_text_encoder_uses_the_error_function() -> None:
    model = small_text_encoder()
    match_checkpoint(model, "text_encoder")
    layer = next(layer for layer in model.layers if isinstance(layer, kerascv.CLIPEncoderLayer))
    for x in (-2.0, -0.5, 3.0):
        assert math.isclose(float(layer.activation(np.float32(x))), exact_gelu(x), rel_tol=1e-5)


def test_version_1s_text_encoder_keeps_its_own_activation() -> None:
    x = keras.Input((4, 8))
    layer = kerascv.CLIPEncoderLayer(8, 2, activation=kerascv.quick_gelu)
    match_checkpoint(keras.Model(x, layer(x)), "text_encoder")
    assert layer.activation is kerascv.quick_gelu


def test_the_vaes_norms_have_the_epsilon_of_their_training() -> None:
    x = keras.Input((2, 2, 32))
    block = kerascv.ResnetBlock(32)
    norm = keras.layers.GroupNormalization(epsilon=1e-5)
    match_checkpoint(keras.Model(x, norm(block(x))), "decoder")
    assert [block.norm1.epsilon, block.norm2.epsilon, norm.epsilon] == [1e-6] * 3
