"""The text encoder and the UNet, trained together on the pictures' latents."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
from rich.progress import track

from training.captions import Subject, varied_caption
from training.data import load
from training.latents import load_latents
from training.optimizer import muon
from training.paths import RUNS
from training.session import Checkpoint, Session, cosine, run
from training.vocabulary import compact, used_tokens, whole_table
from triptych.engine.unet import timestep_embedding
from triptych.models import kerascv, tiny
from triptych.tokenizer import encode

BATCH = 96
PEAK_RATE = 2e-3
CAPTIONS_EACH = 3
DROPPED = 0.1
UNKNOWN_TOKENS = 0.015
UNKNOWN_INSERTED = 0.15
SNR_GAMMA = 5.0
CHECKPOINT = Checkpoint(RUNS / "diffusion.npz")


class TextToNoise(keras.Model):
    """Tokens, positions, a noisy latent and a timestep embedding to the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder = tiny.text_encoder(len(used_tokens()) + 1)
        self.diffusion = tiny.diffusion_model()

    def call(self, inputs: tuple[Any, ...]) -> Any:
        tokens, positions, latent, embedding = inputs
        return self.diffusion([latent, embedding, self.text_encoder([tokens, positions])])


class Captions:
    """Captions as indices into the used tokens, with what is done to them in training."""

    def __init__(self, subjects: list[Subject], rng: np.random.Generator) -> None:
        self.rng = rng
        self.empty = compact(encode(""))
        self.unknown = len(used_tokens())
        words = random.Random(int(rng.integers(2**31)))
        self.tokens = np.stack(
            [
                np.stack([compact(encode(varied_caption(subject, words))) for _ in range(CAPTIONS_EACH)])
                for subject in track(subjects, "Writing captions")
            ]
        )

    def draw(self, chosen: np.ndarray) -> np.ndarray:
        """A caption for each chosen subject, int32 (n, 77); some emptied, some with unknown words."""
        wording = self.rng.integers(0, CAPTIONS_EACH, len(chosen))
        tokens: np.ndarray = self.tokens[chosen, wording].astype(np.int32)
        words = (tokens != self.empty[0]) & (tokens != self.empty[1])
        tokens[words & (self.rng.random(tokens.shape) < UNKNOWN_TOKENS)] = self.unknown
        for row in np.flatnonzero(self.rng.random(len(tokens)) < UNKNOWN_INSERTED):
            place = self.rng.integers(1, words[row].sum() + 2)
            extra = [self.unknown] * self.rng.integers(1, 3)
            tokens[row] = np.insert(tokens[row], place, extra)[: tiny.MAX_TOKENS]
        tokens[self.rng.random(len(tokens)) < DROPPED] = self.empty
        return tokens


class Batches(keras.utils.PyDataset):
    """Random batches of captions and noisy latents, the noise, and min-SNR weights; 100 to an epoch."""

    def __init__(self, latents: np.ndarray, captions: Captions, batch: int = BATCH) -> None:
        super().__init__()
        self.latents = latents
        self.captions = captions
        self.batch = batch
        self.rng = captions.rng
        self.alphas = np.array(kerascv.ALPHAS_CUMPROD, np.float32)
        self.embeddings = np.concatenate([timestep_embedding(t) for t in range(len(self.alphas))])
        self.weights = min_snr_weights(self.alphas)
        self.positions = np.tile(np.arange(tiny.MAX_TOKENS, dtype=np.int32), (batch, 1))

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
        chosen = self.rng.integers(0, len(self.latents), self.batch)
        latents = self.latents[chosen].astype(np.float32)
        noise = self.rng.standard_normal(latents.shape, np.float32)
        # One timestep from each of as many equal parts of the range: less chance in a batch.
        spread = (self.rng.permutation(self.batch) + self.rng.random(self.batch)) / self.batch
        steps = (spread * len(self.alphas)).astype(int)
        alpha = self.alphas[steps][:, None, None, None]
        noisy = np.sqrt(alpha) * latents + np.sqrt(1 - alpha) * noise
        inputs = (self.captions.draw(chosen), self.positions, noisy, self.embeddings[steps])
        return inputs, noise, self.weights[steps][:, None, None]


def min_snr_weights(alphas: np.ndarray) -> np.ndarray:
    """Loss weights for predicting epsilon, mean 1: min(SNR, 5) / SNR (Hang et al., arXiv:2303.09556)."""
    snr = alphas / (1 - alphas)
    weights = np.minimum(snr, SNR_GAMMA) / snr
    normalised: np.ndarray = (weights / weights.mean()).astype(np.float32)
    return normalised


def build() -> TextToNoise:
    """A new model, compiled; each residual branch of the UNet starts as nothing."""
    model = TextToNoise()
    for layer in model.diffusion.layers:
        if isinstance(layer, kerascv.ResBlock):
            _silence(layer.exit_flow[-1])
        if isinstance(layer, kerascv.SpatialTransformer):
            _silence(layer.proj2)
    _silence(model.diffusion.get_layer("exit"))
    table = model.text_encoder.get_layer("embedding").token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, stddev=0.3, seed=1))
    model.compile(optimizer=muon(ema_momentum=0.998, weight_decay=0.01), loss="mse", jit_compile=False)
    return model


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    captions = Captions(load().subjects, np.random.default_rng())
    batches = Batches(load_latents(), captions)
    # As for the autoencoder. XLA would take minutes to compile Muon on all the convolutions.
    keras.config.set_dtype_policy("mixed_bfloat16")
    run(build(), batches, Session(CHECKPOINT, minutes, cosine(PEAK_RATE, flat=0.4), warmup=100))
    keras.config.set_dtype_policy("float32")


def trained() -> tuple[keras.Model, keras.Model]:
    """The text encoder with CLIP's whole vocabulary, and the UNet, with the average of their weights."""
    model = build()
    CHECKPOINT.restore_average(model)
    text = tiny.text_encoder()
    weights = model.text_encoder.get_weights()
    text.set_weights([whole_table(weights[0], tiny.VOCABULARY_SIZE), *weights[1:]])
    return text, model.diffusion


def _silence(convolution: Any) -> None:
    for weight in convolution.conv2d.weights:
        weight.assign(np.zeros(weight.shape))
