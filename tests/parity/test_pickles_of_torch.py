"""Files that PyTorch itself has saved, read without it."""

from pathlib import Path

import numpy as np
import pytest

from triptych.checkpoints.pickles import map_pickle

torch = pytest.importorskip("torch", reason="needs PyTorch")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_checkpoint_as_torch_saves_it(tmp_path: Path, dtype: str) -> None:
    values = torch.arange(12.0).reshape(3, 4)
    tensors = {"plain": values.to(getattr(torch, dtype)), "transposed": values.T, "part": values[1:, 2:]}
    torch.save({"state_dict": tensors, "global_step": 7}, tmp_path / "model.ckpt")
    found = map_pickle(tmp_path / "model.ckpt", allowed=True).arrays
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert str(found[name].dtype) == str(tensor.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(found[name].astype(np.float32), tensor.float().numpy())
