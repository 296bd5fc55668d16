#!/usr/bin/env python3
"""Golden tensors of the face generator's enlarging network, from the PyTorch network it was trained as.

  make_upsample_goldens.py [--out tests/models/golden] [--weights models/facegen-upsample.safetensors]
Writes facegen-upsample-small.safetensors (a tiny network of random weights) and facegen-upsample-golden.safetensors:
small.in, small.out for it, and full.in, full.out for the real weights on a small piece of a face. Development time
only.   needs: torch numpy pillow
"""

import argparse
import math

import numpy as np
import torch
from PIL import Image

import tensor_file
from facegen_upsample_net import Upsample, st_write, state_of, tensors_of

parse = argparse.ArgumentParser()
parse.add_argument("--out", default="tests/models/golden")
parse.add_argument("--weights", default="models/facegen-upsample.safetensors")
parse.add_argument("--face", default="tests/face/golden/gate-good-a.png")
a = parse.parse_args()
torch.manual_seed(1)
golden = {}


def run(name, net, x):
    with torch.no_grad():
        y = net.eval()(x)
    golden[f"{name}.in"], golden[f"{name}.out"] = x[0].numpy(), y[0].numpy()
    plain = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    print(name, tuple(y.shape), "added to the bilinear picture: %.4f" % float((y - plain).abs().mean()))


net = Upsample(8, 2, 16)
for p in net.parameters():  # none too small to be missed
    p.data = torch.randn_like(p) * (0.8 / math.sqrt(p[0].numel() if p.ndim > 1 else 4))
st_write(f"{a.out}/facegen-upsample-small.safetensors", tensors_of(net.state_dict()), dict(kind="facegen-upsample"))
net.load_state_dict(state_of(tensor_file.read(f"{a.out}/facegen-upsample-small.safetensors")))
run("small", net, torch.rand(1, 3, 7, 10))

tensors = tensor_file.read(a.weights)
net = Upsample(len(tensors["head.bias"]), sum(n.endswith(".a.bias") for n in tensors), len(tensors["up.bias"]))
net.load_state_dict(state_of(tensors))
face = np.asarray(Image.open(a.face).convert("RGB"))
run("full", net, torch.from_numpy(face[44:64, 28:52].copy()).permute(2, 0, 1)[None].float() / 255)
st_write(f"{a.out}/facegen-upsample-golden.safetensors", golden, {}, np.float32)
