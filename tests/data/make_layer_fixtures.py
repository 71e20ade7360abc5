#!/usr/bin/env python3
"""Makes layers.safetensors: layers and a whole small backbone computed by Python's torch 2.11, written out plainly.

    python tests/data/make_layer_fixtures.py        (needs torch==2.11.0; run again only when a layer changes)
"""
import json
import pathlib
import struct

import torch
import torch.nn.functional as F

assert torch.__version__.startswith("2.11."), torch.__version__
generator = torch.Generator().manual_seed(20261123)
tensors = {}


def normal(*shape, deviation=1.0):
    return torch.randn(*shape, generator=generator) * deviation


def keep(name, tensor):
    tensors[name] = tensor.contiguous()
    return tensor


# --- RMSNorm: torch's own module
norm = torch.nn.RMSNorm(24, eps=1e-6)
norm.weight.data = keep("rms_norm.weight", normal(24))
keep("rms_norm.y", norm(keep("rms_norm.x", normal(3, 5, 24, deviation=3.0))).detach())


# --- SwiGLU as Hugging Face's LlamaMLP writes it
def swiglu(x, gate, up, down):
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)


gate, up, down = normal(20, 12), normal(20, 12), normal(12, 20)
keep("swiglu.gate_up", torch.cat([gate, up]))
keep("swiglu.down", down)
keep("swiglu.y", swiglu(keep("swiglu.x", normal(2, 7, 12)), gate, up, down))


# --- rotary positions as Hugging Face's modeling_llama.py writes them
def rotate_half(x):
    return torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), dim=-1)


def rotary(x, positions, theta):  # x [B,H,T,d], positions [B,T]
    inverse = 1.0 / (theta ** (torch.arange(0, x.shape[-1], 2, dtype=torch.int64).float() / x.shape[-1]))
    angles = positions[:, :, None].float() * inverse
    angles = torch.cat((angles, angles), dim=-1)
    return x * angles.cos().unsqueeze(1) + rotate_half(x) * angles.sin().unsqueeze(1)


positions = keep("rotary.positions", torch.randint(0, 300, (2, 6), generator=generator))
x = keep("rotary.x", normal(2, 3, 6, 16))
keep("rotary.y_10000", rotary(x, positions, 10000.0))
keep("rotary.y_500000", rotary(x, positions, 500000.0))

# --- the gpt backbone: width 16, 2 layers, 4 heads, 2 heads of keys, hidden 24, one block with groups
width, heads, key_heads, head, hidden = 16, 4, 2, 4, 24


def weight(name, *shape):
    return keep("gpt." + name, 1 + normal(*shape, deviation=0.2) if len(shape) == 1 else normal(*shape, deviation=0.4))


def rms(x, w):
    return F.rms_norm(x, (x.shape[-1],), w, 1e-6)


x = keep("gpt_input.embeds", normal(2, 7, width))
group = keep("gpt_input.group", torch.tensor([0, 1, 2, 2, 2, 3, 4]))
mask = group[:, None] >= group[None, :]
steps = torch.arange(7)[None]
for i in range(2):
    p = f"experts.0.layers.{i}."
    y = rms(x, weight(p + "attention_norm.weight", width))
    qkv = F.linear(y, weight(p + "query_key_value.weight", (heads + 2 * key_heads) * head, width))
    q, k, v = qkv.split([heads * head, key_heads * head, key_heads * head], -1)
    q, k, v = (t.view(2, 7, -1, head).transpose(1, 2) for t in (q, k, v))
    q = rotary(rms(q, weight(p + "query_norm.weight", head)), steps, 10000.0)
    k = rotary(rms(k, weight(p + "key_norm.weight", head)), steps, 10000.0)
    k, v = (t.repeat_interleave(heads // key_heads, 1) for t in (k, v))
    scores = (q @ k.transpose(-1, -2)) / head**0.5
    y = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v
    x = x + F.linear(y.transpose(1, 2).reshape(2, 7, width), weight(p + "output.weight", width, width))
    y = rms(x, weight(p + "feed_forward_norm.weight", width))
    gate_up = weight(p + "feed_forward.gate_up.weight", 2 * hidden, width)
    x = x + swiglu(y, gate_up[:hidden], gate_up[hidden:], weight(p + "feed_forward.down.weight", width, hidden))
keep("gpt_input.hidden", rms(x, weight("experts.0.norm.weight", width)))

header, data = {}, b""
for name, tensor in tensors.items():
    raw = tensor.numpy().tobytes()
    kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
    header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
pathlib.Path(__file__).with_name("layers.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
