#!/usr/bin/env python3
"""Draws faces as the portrait stage does (src/models/facegen.c, facegen_sampler.c), many at a time, for bench/bench_facegen.

  sample_facegen.py --oracles DIR --weights models --out DIR [--each 500] [--few 24] [--only NAME,...] [--ways JSON] [--data DIR]
or under torchrun, one process for each GPU. Writes OUT/NAME-RANK-PART.tar of WebP pictures, called
NAME/AGE-GENDER-RACE-NUMBER.webp: --each of "product" for each race and gender, --few of every other way to draw. --ways adds
ways, as {NAME: what is not as in PRODUCT}.
With --data (the training pack) OUT/pixels.json tells how near the product's samples come to a training face by pixels.
needs: torch numpy pillow
"""
import argparse
import io
import json
import math
import os
import tarfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import facegen_conditions
import facegen_net
from facegen_conditions import blur

parse = argparse.ArgumentParser()
for name in ("oracles", "weights", "out"):
    parse.add_argument("--" + name, required=True)
parse.add_argument("--each", type=int, default=500)
parse.add_argument("--few", type=int, default=24)
parse.add_argument("--only", default="", help="names of the ways to draw; all by default")
parse.add_argument("--ways", type=json.loads, default={}, help="further ways to draw, JSON")
parse.add_argument("--data", help="faces-N.bin/.tsv to compare the samples with, by pixels")
parse.add_argument("--batch", type=int, default=128)
a = parse.parse_args()

M = facegen_net.base(a.oracles)
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
cuda = torch.cuda.is_available()
device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
if cuda:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
os.makedirs(a.out, exist_ok=True)

with open(f"{a.weights}/facegen.json") as f:
    card = json.load(f)
stats, S = card["stats"], card["arch"]["img"]
files = [f"{a.weights}/{f}" for f in card["files"]]
net = facegen_net.make_net(M, card["arch"]).eval().requires_grad_(False)
net.load_state_dict({**net.state_dict(), **M.load_q8(files, net.state_dict())})
net = net.to(device, memory_format=torch.channels_last) if cuda else net
tensors = M.st_read(files[0])
who = {k: torch.from_numpy(tensors["identity." + k].astype(np.float32)) for k in ("centre", "cell", "age", "factor")}


# ---- what is asked for
def neutral(race, random, way):
    """mdm_facegen_neutral; the way's "move" is added to what is asked, its "ask" replaces it"""
    r = dict(zip(M.CONT, stats[f"race{race}"]))
    near = lambda s: s * np.clip(random.standard_normal(), -2, 2)
    light = near(.13)
    for c in "rgb":
        r[c] *= math.exp(light + near(.035))
    r.update(yaw=0., pitch=near(2), gaze_x=0., mouth_open=-.06, smile=max(r["smile"], 0.), side_light=0., fringe=-.1,
             glasses=2.5 if way["glasses"] else -6., log_sharp=r["log_sharp"] + near(.35), contrast=r["contrast"] * math.exp(near(.18)),
             mouth_width=r["mouth_width"] + near(.04), eye_open=r["eye_open"] - .04 + near(.03))
    del r["teeth"], r["beard"]
    r.update({c: r[c] + by for c, by in way["move"].items()})
    return dict(r, **way["ask"])


def person(race, gender, age, spread, random):
    """mdm_facegen_draw_identity, as the network takes it"""
    z = torch.from_numpy(random.standard_normal(128)).float()
    e = who["cell"][race * 2 + gender] + who["age"][age] + spread * who["factor"] @ z
    return (e - who["centre"]) / stats["identity_scale"]


def condition(row, classes, e):
    q, m = torch.zeros(len(M.CONT) + 128), torch.zeros(len(M.CONT) + 128)
    for i, c in enumerate(M.CONT):
        if c in row:
            q[i], m[i] = (row[c] - stats["mean"][i]) / stats["std"][i], 1
    q[-128:], m[-128:] = e, 1
    return torch.tensor(classes), q, m


# ---- how it is drawn
u = torch.arange(S, device=device) * (128 / S)
yy, xx = torch.meshgrid(u, u, indexing="ij")
across = (xx - 64).abs()
forehead = torch.sigmoid((yy - 12.5 - 10 * (across / 40) ** 2.5) / 1.2) * torch.sigmoid((29 - yy) / 1.2) * torch.sigmoid((36 - across) / 1.5)
cheek = ((((xx - 34).abs() < 7) | ((xx - 94).abs() < 7)) & ((yy - 69).abs() < 7)).float()
cheek /= cheek.sum()


def steer(x, sigma, light, bare):
    """facegen_sampler.c: light the same from both sides, the forehead in the cheeks' colour; low frequencies only"""
    if light and sigma > light:
        low = blur(x, 6 * S / 128)
        x = x - .5 * (low - low.flip(3))
    if bare and sigma > bare:
        skin = (x * cheek).sum((2, 3), keepdim=True)
        x = x + .7 * forehead * (skin - blur(x, 3 * S / 128))
    return x


def without(cond, kept):
    """The other side of guidance: of `cond` only what `kept` names is known."""
    k, kv, km = cond
    known = torch.zeros_like(km)
    if "numbers" in kept:
        known[:, :-128] = km[:, :-128]
    if "identity" in kept:
        known[:, -128:] = km[:, -128:]
    unknown = torch.tensor([n for _, n in M.CLASSES], device=device).expand(len(k), -1)
    keep = torch.tensor(["classes" in kept] * 3 + ["domain" in kept], device=device)
    return torch.where(keep, k, unknown), kv, known


@torch.no_grad()
def sample(noise, cond, way):
    """facegen_model.sample with steering -> pictures in -1..1, evaluations of the network"""
    k, kv, km = cond
    other, guide = without(cond, way["against"]), way["guide"]
    levels, evaluations, old, before = M.sigmas(way["steps"]), 0, None, 0.
    x = noise * float(levels[0])
    for sigma, after in zip(levels[:-1], levels[1:]):
        sigma, after = float(sigma), float(after)
        t, z = torch.full((len(x),), 1 / (1 + sigma), device=device), x / (1 + sigma)
        now, against = k.clone(), other[0].clone()
        if way["domain"] and sigma > way["domain"][0]:
            now[:, 3] = way["domain"][1]
            against[:, 3] = way["domain"][1] if "domain" in way["against"] else 2
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
            if guide != 1 and way["interval"][0] <= sigma <= way["interval"][1]:
                both = M.denoise(net, torch.cat([z, z]), torch.cat([t, t]), torch.cat([now, against]), torch.cat([kv, kv]),
                                 torch.cat([km, other[2]]))
                yes, no = both.chunk(2)
                d, evaluations = no + guide * (yes - no), evaluations + 2
            else:
                d, evaluations = M.denoise(net, z, t, now, kv, km), evaluations + 1
        d = steer(d, sigma, way["light"], way["bare"]).clamp(-1.3, 1.3)
        if after == 0:
            x = d
            break
        h, mix = math.log(sigma / after), d
        if old is not None:
            r = math.log(before / sigma) / h
            mix = d * (1 + .5 / r) - old * (.5 / r)
        x, old, before = after / sigma * x - math.expm1(-h) * mix, d, sigma
    return x.clamp(-1, 1), evaluations


# spread: of identities; against: what guidance takes as known on its other side; domain: (noise level, class) above which
# another domain than AI-made is asked for; move, ask: numbers added to, and instead of, the neutral ones
PRODUCT = dict(spread=1.4, steps=8, guide=1.5, interval=(.5, 8.), against=("domain",), light=.5, bare=.6, domain=None, glasses=False,
               move={}, ask={})
MOVES = [dict(), dict(yaw=-20.), dict(yaw=20.), dict(mouth_open=.15), dict(mouth_open=.3), dict(eye_open=.12), dict(gaze_x=.16),
         dict(smile=-.12, mouth_width=.72)]
CELLS = [(race, gender) for race in range(7) for gender in (0, 1)]
WAYS = dict(product={}, free=dict(light=0, bare=0), light=dict(bare=0), narrow=dict(spread=1.), wide=dict(spread=1.8),
            guide1=dict(guide=1.), guide2=dict(guide=2.), steps12=dict(steps=12), steps20=dict(steps=20, interval=(.3, 12.)),
            who=dict(against=("domain", "classes", "numbers"), guide=2.), smile=dict(ask=dict(smile=-.22), move=dict(mouth_width=.1)),
            glasses=dict(glasses=True), moves={})
WAYS.update(a.ways)


def wanted(name, way, rng):
    """[(conditions, (age, gender, race, number), seed)]"""
    out, first = [], 100000
    if name == "moves":
        for j in range(max(2, a.few * 2)):
            race, gender = CELLS[j % 14]
            row, e = neutral(race, rng, way), person(race, gender, 4, way["spread"], rng)
            out += [(condition(dict(row, **move), [4, gender, race, 1], e), (4, gender, race, j * 10 + w), first + j)
                    for w, move in enumerate(MOVES)]
        return out
    for j in range(a.each if name == "product" else a.few):
        for race, gender in CELLS:
            age = 4 if name != "product" or j % 2 else int(rng.integers(2, 9))
            out.append((condition(neutral(race, rng, way), [age, gender, race, 1], person(race, gender, age, way["spread"], rng)),
                        (age, gender, race, len(out)), first + len(out)))
    return out


def nearest_by_pixels(faces):
    """Distance of the face's pixels (21 x 22, each picture at mean 0 and deviation 1) to the nearest training face."""
    rows = facegen_conditions.rows_of(a.data)
    small = lambda x: F.avg_pool2d(x.float(), 4)[:, :, 6:27, 5:27].flatten(1)
    norm = lambda v: (v - v.mean(1, keepdim=True)) / v.std(1, keepdim=True)
    train, by = [], {}
    for r in rows:
        by.setdefault(r["bin"], []).append(r)
    for path, rs in by.items():
        for i in range(0, len(rs), 512):
            raw, _ = facegen_conditions.decode((path, rs[i:i + 512], 128))
            x = torch.from_numpy(raw).permute(0, 3, 1, 2).float()
            train.append(small(F.interpolate(x, size=(128, 128), mode="bicubic", antialias=True, align_corners=False)))
    train = norm(torch.cat(train))
    near = lambda v, k: torch.cat([torch.cdist(p, train).topk(k, largest=False).values[:, -1] for p in v.split(64)]) / train.shape[1] ** .5
    some = train[torch.randperm(len(train))[:1000]]
    told = lambda v: [round(v.quantile(p).item(), 4) for p in (.01, .05, .5)]
    return dict(quantiles=[.01, .05, .5], samples=told(near(norm(small(torch.from_numpy(faces).permute(0, 3, 1, 2))), 1)),
                training_faces_among_themselves=told(near(some, 2)))


began = time.time()
for name in a.only.split(",") if a.only else WAYS:
    way = dict(PRODUCT, **WAYS[name])
    mine = wanted(name, way, np.random.default_rng(1))[rank::world]
    faces = []
    for i in range(0, len(mine), a.batch):
        part = mine[i:i + a.batch]
        noise = torch.stack([torch.randn(3, S, S, generator=torch.Generator().manual_seed(s)) for _, _, s in part]).to(device)
        x, evaluations = sample(noise, [torch.stack(c).to(device) for c in zip(*(c for c, _, _ in part))], way)
        faces.append(((x.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte().cpu().numpy())
    faces = np.concatenate(faces)
    for i in range(0, len(faces), 2000):
        with tarfile.open(f"{a.out}/{name}-{rank}-{i // 2000}.tar", "w") as tar:
            for x, (_, label, _) in zip(faces[i:i + 2000], mine[i:i + 2000]):
                b = io.BytesIO()
                Image.fromarray(x).save(b, "WEBP", quality=92)
                info = tarfile.TarInfo(f"{name}/" + "-".join(map(str, label)) + ".webp")
                info.size = b.tell()
                b.seek(0)
                tar.addfile(info, b)
    print(f"{name}: {len(faces)} faces in {evaluations} evaluations each, {time.time() - began:.0f} s", flush=True)
    if name == "product" and a.data and rank == 0:
        with open(f"{a.out}/pixels.json", "w") as f:
            json.dump(nearest_by_pixels(faces), f)
