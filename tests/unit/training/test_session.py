from pathlib import Path

import keras
import numpy as np
import pytest

from training import diffusion, vae
from training.captions import Subject
from training.concepts import CONCEPTS
from training.latents import normalise
from training.optimizer import muon
from training.session import Checkpoint, Session, cosine, run
from triptych.models.tiny import LATENT_SCALE


class Repeated(keras.utils.PyDataset):  # type: ignore[misc]
    """The same batch, over and over."""

    def __init__(self, inputs: object, target: np.ndarray) -> None:
        super().__init__()
        self.batch = inputs, target

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[object, np.ndarray]:
        return self.batch


def small_model() -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="inner")(image)
    model = keras.Model(image, keras.layers.Conv2D(3, 1, name="rgb")(x))
    model.compile(optimizer=muon(ema_momentum=0.9), loss="mse")
    return model


@pytest.fixture
def batches() -> Repeated:
    image = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
    return Repeated(image, 1 - image)


def train(checkpoint: Checkpoint, batches: Repeated, seconds: float) -> keras.Model:
    model = small_model()
    run(model, batches, Session(checkpoint, seconds / 60, cosine(0.01), warmup=2))
    return model


def test_training_learns_and_stops_when_its_time_is_spent(tmp_path: Path, batches: Repeated) -> None:
    before = small_model().evaluate(batches, verbose=0)
    assert train(Checkpoint(tmp_path / "run.npz"), batches, 6).evaluate(batches, verbose=0) < before / 2


def test_a_later_run_goes_on_where_the_first_was(tmp_path: Path, batches: Repeated) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    first = train(checkpoint, batches, 1)
    second = train(checkpoint, batches, 2)
    assert int(second.optimizer.iterations) > int(first.optimizer.iterations) > 0
    assert np.load(checkpoint.path)["seconds"] >= 2


def test_a_run_whose_time_is_spent_only_loads_the_average(tmp_path: Path, batches: Repeated) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    first = train(checkpoint, batches, 1)
    again = train(checkpoint, batches, 1)
    assert int(again.optimizer.iterations) == int(first.optimizer.iterations)
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.allclose(one, other)


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path: Path, batches: Repeated) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz")
    train(checkpoint, batches, 1)
    (tmp_path / "run.partial.npz").write_bytes(b"half a file")
    assert checkpoint.restore(small_model()) >= 1


def test_the_learning_rate_is_flat_and_then_falls() -> None:
    rate = cosine(1.0, flat=0.4)
    assert rate(0.0) == rate(0.4) == 1.0
    assert rate(0.4) > rate(0.6) > rate(0.9) > rate(1.0) == pytest.approx(0.02)


def test_the_autoencoder_takes_a_step_and_normalising_changes_its_latents_only() -> None:
    model = vae.build()
    image = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    assert np.isfinite(model.train_on_batch(image, image))
    latent, again = model.image_encoder.predict_on_batch(image), model.predict_on_batch(image)[0]
    mean, deviation = np.arange(4.0) / 10, np.array([0.5, 1.0, 2.0, 3.0])
    normalise(model, mean, deviation)
    normalised = model.image_encoder.predict_on_batch(image)
    assert np.allclose(normalised, (latent / LATENT_SCALE - mean) / deviation, atol=1e-4)
    assert np.allclose(model.decoder.predict_on_batch(normalised), again, atol=1e-4)


def test_the_diffusion_model_takes_a_step_from_captions_and_latents() -> None:
    rng = np.random.default_rng(0)
    captions = diffusion.Captions([Subject(CONCEPTS[0], "blue"), Subject(None, "night")], rng)
    batches = diffusion.Batches(rng.standard_normal((2, 8, 8, 4)), captions, batch=2)
    model = diffusion.build()
    inputs, noise, weights = batches[0]
    assert np.isfinite(model.train_on_batch(inputs, noise, weights))
