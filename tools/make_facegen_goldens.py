#!/usr/bin/env python3
"""Golden tensors of the face generator, from the PyTorch reference it was trained with (development time only).

  make_facegen_goldens.py [--weights models] [--oracles ../shared/oracles] [--out tests/models/golden]

Writes facegen-small.safetensors/.json: a tiny network of random weights in the shipped format (8-bit blocks and fp16), and
facegen-golden.safetensors: what the reference answers for it. With --weights, from the generator in that folder instead:
facegen-full.safetensors, samples of one forward, and facegen-portrait.png, a finished picture. Inputs come from the product's
own random numbers, re-stated here, so that no noise has to be stored.
"""
import argparse
import json
import math
import tempfile

import numpy as np
import torch
from PIL import Image

import facegen_net
from product_random import Random


# What tests/models/test_facegen.c asks for, word for word: (age, gender, race, domain; -1 unknown), raw values by name; who
# it is comes from random numbers. One face with all of it, the same face of nobody in particular, and nothing at all.
FACE = dict(cls=[4, 1, 6, 1], yaw=3., pitch=-2., mouth_open=.02, mouth_width=.55, eye_open=.34, gaze_x=.01, gaze_y=-.07,
            log_sharp=5.5, r=150., g=115., b=99., contrast=45., smile=-.05, teeth=-.2, side_light=.05, fringe=.1, glasses=-3.,
            beard=-.4)
ROWS = [dict(FACE, identity=.1 * Random(9, "golden/identity").normals(128)), FACE, dict(cls=[-1, -1, -1, -1])]
T = .35

SIZES = dict(img=32, patch=4, c0=32, c1=64, n0d=1, n0u=2, n1d=1, n1u=1, ntf=1, heads=2, hid=96, emb=64, rank=32)
MEAN = [0., 0., .08, .6, .3, 0., -.06, 4.8, 140., 100., 84., 36., 0., -.3, 0., .1, -2., -.2]
STD = [14., 8., .08, .1, .08, .08, .04, .8, 39., 34., 34., 12., .1, .4, .2, .15, 1.5, .3]


def small_statistics():
    races = {f"race{r}": [round(m + (r - 3) / 10 * s, 5) for m, s in zip(MEAN, STD)] for r in range(7)}
    return dict(mean=MEAN, std=STD, identity_scale=.07, **races)


def conditions(M, stats, identity):
    """ROWS as the network takes them."""
    k = torch.tensor([[c if c >= 0 else n for c, (_, n) in zip(row["cls"], M.CLASSES)] for row in ROWS])
    kv, km = torch.zeros(len(ROWS), len(M.CONT) + 128), torch.zeros(len(ROWS), len(M.CONT) + 128)
    for row, v, known in zip(ROWS, kv, km):
        for i, name in enumerate(M.CONT):
            if name in row:
                v[i], known[i] = (row[name] - stats["mean"][i]) / stats["std"][i], 1
        if "identity" in row:
            v[len(M.CONT):] = torch.from_numpy((row["identity"] - identity["centre"]) / stats["identity_scale"])
            known[len(M.CONT):] = 1
    return k, kv, km


def load(M, folder, name):
    """The network of FOLDER/NAME.json, its card and the tables of identities."""
    with open(f"{folder}/{name}.json") as f:
        card = json.load(f)
    files = [f"{folder}/{file}" for file in card["files"]]
    net = facegen_net.make_net(M, card["arch"]).eval()
    net.load_state_dict({**net.state_dict(), **M.load_q8(files, net.state_dict())})
    tensors = M.st_read(files[0])
    identity = {key: tensors["identity." + key].astype(np.float32) for key in ("centre", "cell", "age", "factor")}
    return net, card, identity


def write_small(M, out):
    torch.manual_seed(1)
    net = facegen_net.make_net(M, SIZES).eval()
    with torch.no_grad():
        for name, p in net.named_parameters():                # nothing may stay zero, or a wrong branch would go unseen
            if p.ndim == 1 and name.split(".")[-1].startswith("g"):
                p.copy_(1 + .2 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (.5 / math.sqrt(max(1, p[0].numel() if p.ndim > 1 else 4))))
        for name in ("p0", "p1"):
            getattr(net, name).normal_(std=.3)
    with tempfile.TemporaryDirectory() as folder:
        parts = M.export(net.state_dict(), f"{folder}/facegen")
        assert len(parts) == 1
        tensors = M.st_read(parts[0])
    for name, rows in (("centre", ()), ("cell", (14,)), ("age", (9,))):
        tensors["identity." + name] = (.1 * torch.randn(*rows, 128)).numpy().astype(np.float16)
    tensors["identity.factor"] = (.01 * torch.randn(128, 128)).tril().numpy().astype(np.float16)
    M.st_write(f"{out}/facegen-small.safetensors", tensors, dict(format="q8_0 block 32"))
    with open(f"{out}/facegen-small.json", "w") as f:
        json.dump(dict(arch=SIZES, stats=small_statistics(), files=["facegen-small.safetensors"]), f, indent=1)


def somebody(identity, age, gender, race, spread, random):
    """mdm_facegen_draw_identity; None: any"""
    cell = identity["cell"].reshape(7, 2, 128)
    cell = cell[slice(None) if race is None else [race]][:, slice(None) if gender is None else [gender]].mean((0, 1))
    years = identity["age"][slice(None) if age is None else [age]].mean(0)
    return cell + years + spread * identity["factor"] @ random.normals(128)


def draw(M, net, rows, noise, steps):
    """A picture of ROWS[0]: [3, side, side] in -1..1."""
    k, kv, km = (c[:1] for c in rows)
    domain = torch.tensor([[n for _, n in M.CLASSES[:3]] + [int(k[0, 3])]])  # all that guidance's other side knows
    x, evaluations = M.sample(net, torch.from_numpy(noise)[None], (k, kv, km), steps=steps, guide=1.75,
                              neg=(domain, torch.zeros_like(kv), torch.zeros_like(km)))
    return x[0], evaluations


@torch.no_grad()
def small(M, out):
    write_small(M, out)
    net, card, identity = load(M, out, "facegen-small")
    rows = conditions(M, card["stats"], identity)
    z = torch.from_numpy(Random(5, "golden/small").normals(3, 32, 32))[None].expand(len(ROWS), -1, -1, -1)
    forward = net(z, torch.full((len(ROWS),), T), *rows).numpy()
    picture, evaluations = draw(M, net, rows, Random(6, "golden/small").normals(3, 32, 32), steps=8)
    random = Random(10, "golden/identity")
    people = np.stack([somebody(identity, 4, 1, 6, 1.15, random), somebody(identity, None, None, None, 1, random),
                       somebody(identity, 2, None, 3, 1, random)])
    M.st_write(f"{out}/facegen-golden.safetensors",
               {"small.forward": forward, "small.picture": picture.numpy(), "small.identity": people.astype(np.float32)}, {})
    print(f"small: mean output {abs(forward).mean():.3f}, {evaluations} evaluations of a picture")


@torch.no_grad()
def full(M, weights, out):
    net, card, identity = load(M, weights, "facegen")
    rows = conditions(M, card["stats"], identity)
    z = torch.from_numpy(Random(7, "golden/full").normals(3, 128, 128))[None].expand(len(ROWS), -1, -1, -1)
    forward = net(z, torch.full((len(ROWS),), T), *rows).numpy()
    M.st_write(f"{out}/facegen-full.safetensors",
               {"full.forward": np.ascontiguousarray(forward.reshape(len(ROWS), -1)[:, ::97])}, {})
    picture, evaluations = draw(M, net, rows, Random(8, "golden/full").normals(3, 128, 128), steps=20)
    pixels = ((picture.permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    Image.fromarray(pixels).save(f"{out}/facegen-portrait.png")
    print(f"full: mean output {abs(forward).mean():.3f}, {evaluations} evaluations of the portrait")


if __name__ == "__main__":
    parse = argparse.ArgumentParser()
    parse.add_argument("--weights", help="folder of facegen.json and its weights")
    parse.add_argument("--oracles", default="../shared/oracles")
    parse.add_argument("--out", default="tests/models/golden")
    a = parse.parse_args()
    torch.set_num_threads(2)
    model = facegen_net.base(a.oracles)
    if a.weights:
        full(model, a.weights, a.out)
    else:
        small(model, a.out)
