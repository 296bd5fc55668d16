"""The face generator's second network (models/facegen.md), which enlarges its portrait to twice the size: as it is
trained, and as the goldens of src/models/facegen_upsample.c are made. Its file keeps convolutions as O,H,W,I in fp16.
needs: torch numpy
"""

import json
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Upsample(nn.Module):
    """RGB in 0..1, [n, 3, h, w] -> [n, 3, 2h, 2w]: bilinear enlargement plus what the convolutions add."""

    def __init__(self, width, blocks, raised=64):
        super().__init__()
        conv = lambda i, o: nn.Conv2d(i, o, 3, padding=1)
        self.head = conv(3, width)
        self.block = nn.ModuleList(
            nn.ModuleDict({"a": conv(width, width), "b": conv(width, width)}) for _ in range(blocks)
        )
        self.body = conv(width, width)
        self.up = conv(width, raised)  # shuffled to a quarter of it at twice the size
        self.tail = conv(raised // 4, 3)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, 0.2)
                nn.init.zeros_(m.bias)
        for b in self.block:
            b["b"].weight.data *= 0.1
        self.tail.weight.data *= 0.05

    def forward(self, x):
        act = lambda v: F.leaky_relu(v, 0.2)
        h = first = self.head(x - 0.5)
        for b in self.block:
            h = h + b["b"](act(b["a"](h)))
        h = act(self.body(h) + first)
        h = act(F.pixel_shuffle(self.up(h), 2))
        return F.interpolate(x.float(), scale_factor=2, mode="bilinear", align_corners=False) + self.tail(h).float()


def tensors_of(state):
    return {n: (w.permute(0, 2, 3, 1) if w.ndim == 4 else w).cpu().numpy() for n, w in state.items()}


def state_of(tensors):
    return {
        n: torch.from_numpy(w.transpose(0, 3, 1, 2).copy() if w.ndim == 4 else w.copy()).float()
        for n, w in tensors.items()
    }


def st_write(path, tensors, meta, kind=np.float16):
    head, at, parts = {"__metadata__": {k: str(v) for k, v in meta.items()}}, 0, []
    for name, v in tensors.items():
        b = np.ascontiguousarray(v, kind).tobytes()
        head[name] = dict(
            dtype="F16" if kind == np.float16 else "F32", shape=list(v.shape), data_offsets=[at, at + len(b)]
        )
        at += len(b)
        parts.append(b)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
