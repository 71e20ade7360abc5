"""Makes python.safetensors with the reference implementation, for tests/io/safetensors_test.cpp.

Needs: torch 2.11, safetensors 0.8. Run: python make_safetensors.py
"""
import pathlib

import torch
from safetensors.torch import save_file

save_file(
    {
        "a.float": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
        "b.double": torch.tensor([1.5, -2.25], dtype=torch.float64),
        "c.half": torch.tensor([0.5, 65504.0], dtype=torch.float16),
        "d.bfloat": torch.tensor([[1.0], [-3.0]], dtype=torch.bfloat16),
        "e.long": torch.tensor([2**40, -1]),
        "f.int": torch.tensor([7, -7], dtype=torch.int32),
        "g.byte": torch.tensor([0, 255, 3], dtype=torch.uint8),
        "h.bool": torch.tensor([True, False, True]),
        "i.scalar": torch.tensor(3.5),
        "j.empty": torch.zeros(0, 4),
    },
    pathlib.Path(__file__).parent / "python.safetensors",
    {"made_by": "python"},
)
