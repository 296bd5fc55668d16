#!/usr/bin/env python3
"""Trains attribute network A or B on the packed FairFace faces (tools/align_faces.py pack) and exports it.

  train_attributes.py --net a --data DIR --out DIR --seconds 400 [--seed 1] [--limit N]
writes OUT/attributes-a.safetensors (f16, BatchNorm folded) and OUT/attributes-a.json (temperatures, held-out figures).
Faces are decoded once; alignment with jitter, degradation (scale, blur, noise, JPEG) and colour run in batches on the
device, from the packed 128-px picture in a single resampling.  needs: torch safetensors pillow numpy
"""
import argparse
import copy
import functools
import glob
import io
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F

from attributes_net import CLASSES, Net, TABLE, describe, fold, reference

SOURCE = 128


def decode_many(blobs):
    from PIL import Image
    return [np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in blobs]


def load(path, workers, limit=0):
    """One packed file: list of uint8 pictures, params [n, 8], labels [n, 3]."""
    z = np.load(path + ".npz")
    with open(path + ".bin", "rb") as f:
        blob = f.read()
    n = len(z["length"]) if not limit else min(limit, len(z["length"]))
    ends = np.cumsum(z["length"].astype(np.int64))
    blobs = [blob[e - int(k):e] for e, k in zip(ends[:n], z["length"][:n])]
    parts = [blobs[i:i + 500] for i in range(0, n, 500)]
    with ProcessPoolExecutor(workers) as ex:
        pictures = [p for part in ex.map(decode_many, parts) for p in part]
    return pictures, z["params"][:n], z["labels"][:n].astype(np.int64)


def matrices(par, size, jitter, rng_dev, flip):
    """[n, 2, 3] from output to source coordinates (both continuous), with the alignment disturbed by `jitter`."""
    n, dev = len(par), par.device
    r = lambda s: torch.randn(n, device=rng_dev) * s * jitter
    side, roll = par[:, 0] * torch.exp(r(0.09)), par[:, 3] + r(0.10)
    cx, cy = par[:, 1] + par[:, 0] * r(0.035), par[:, 2] + par[:, 0] * r(0.035)
    k = side / size
    kx, ky, shear = k * torch.exp(r(0.04)), k * torch.exp(r(0.04)), r(0.04)
    f = torch.where(torch.rand(n, device=dev) < 0.5, -1.0, 1.0) if flip else torch.ones(n, device=dev)
    c, s = torch.cos(roll), torch.sin(roll)
    a, d = kx * c * f, kx * s * f
    b, e = ky * (shear * c - s), ky * (shear * s + c)
    h = size / 2
    return torch.stack([torch.stack([a, b, cx - h * (a + b)], 1), torch.stack([d, e, cy - h * (d + e)], 1)], 1)


def sample(pictures, m, size, fill):
    """pictures [n, 3, 128, 128] float 0..1 -> crops [n, 3, size, size]; fill: what lies outside the packed picture."""
    n, dev = len(m), m.device
    g = torch.arange(size, device=dev) + 0.5
    base = torch.stack([g[None].expand(size, size), g[:, None].expand(size, size), torch.ones(size, size, device=dev)], 2)
    grid = (base.view(1, -1, 3) @ m.transpose(1, 2)).view(n, size, size, 2) / (SOURCE / 2) - 1
    if not fill:
        return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    half = n // 2
    x = torch.cat([F.grid_sample(pictures[:half], grid[:half], padding_mode="border", align_corners=False),
                   F.grid_sample(pictures[half:], grid[half:], padding_mode="reflection", align_corners=False)])
    # A third of the crops get another scene around the packed picture, as a video frame would have: another face's crop or a flat colour.
    outside = (grid.abs().amax(3) > 1)[:, None]
    u = torch.rand(n, 1, 1, 1, device=dev)
    other = torch.where(u < 0.22, torch.roll(x, 1, 0).flip(2), torch.rand(n, 3, 1, 1, device=dev))
    return torch.where(outside & (u < 0.35), other, x)


LUMA = torch.tensor([[16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
                     [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
                     [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]], dtype=torch.float32)
YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
GREY = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def dct_matrix():
    k = torch.arange(8, dtype=torch.float32)
    d = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    d[0] /= math.sqrt(2)
    return d


@functools.lru_cache
def constants(dev):
    """On the device once: a copy in every step would make the host wait."""
    return [t.to(dev) for t in (dct_matrix(), YCC, torch.linalg.inv(YCC), LUMA, GREY)]


def jpeg(x, share):
    """JPEG's quantisation (not its entropy coding) at a random quality 15..90 for a share of the pictures."""
    n, _, h, w = x.shape
    dev = x.device
    d, ycc, inverse, luma, _ = constants(dev)
    q = 15 + 75 * torch.rand(n, device=dev)
    scale = torch.where(q < 50, 5000 / q, 200 - 2 * q) / 100
    table = luma[None] * scale[:, None, None]
    table = torch.stack([table, table * 1.3, table * 1.3], 1).clamp(min=1) / 255
    y = torch.einsum("ij,njhw->nihw", ycc, x)
    b = y.view(n, 3, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    f = d @ b @ d.T
    t = table[:, :, None, None]
    f = torch.round(f / t) * t
    b = d.T @ f @ d
    y = b.permute(0, 1, 2, 4, 3, 5).reshape(n, 3, h, w)
    z = torch.einsum("ij,njhw->nihw", inverse, y)
    return torch.where(torch.rand(n, 1, 1, 1, device=dev) < share, z, x)


def noise(x, share):
    n, dev = len(x), x.device
    s = torch.rand(n, 1, 1, 1, device=dev) * 0.05 * (torch.rand(n, 1, 1, 1, device=dev) < share)
    return x + s * torch.randn_like(x)


def blur(x, rng):
    """One random Gaussian or motion kernel for the whole chunk."""
    r = torch.arange(-4, 5, dtype=torch.float32)
    if rng.random() < 0.6:
        g = torch.exp(-r ** 2 / (2 * rng.uniform(0.5, 2.2) ** 2))
        k = g[:, None] * g[None]
    else:
        a, length = rng.uniform(0, math.pi), rng.uniform(1, 4)
        along = r[None] * math.cos(a) + r[:, None] * math.sin(a)
        across = -r[None] * math.sin(a) + r[:, None] * math.cos(a)
        k = torch.exp(-(across ** 2) / 0.5) * (along.abs() <= length)
    k = (k / k.sum()).to(x.device).expand(3, 1, 9, 9)
    return F.conv2d(F.pad(x, (4, 4, 4, 4), mode="replicate"), k.contiguous(), groups=3)


def colour(x):
    n, dev = len(x), x.device
    u = lambda lo, hi, c=1: lo + (hi - lo) * torch.rand(n, c, 1, 1, device=dev)
    on = lambda p: torch.rand(n, 1, 1, 1, device=dev) < p
    x = x.clamp(1e-4, 1)
    x = torch.where(on(0.5), x ** torch.exp(u(-0.45, 0.45)), x)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = torch.where(on(0.6), (x - mean) * u(0.65, 1.35) + mean * u(0.7, 1.3), x)
    x = torch.where(on(0.4), x * u(0.9, 1.1, 3), x)
    grey = (x * constants(dev)[4]).sum(1, keepdim=True)
    x = torch.where(on(0.4), grey + (x - grey) * u(0.4, 1.5), x)
    x = torch.where(on(0.10), grey.expand_as(x), x)
    # Side light: a linear ramp across the face.
    size = x.shape[2]
    g = torch.linspace(-1, 1, size, device=dev)
    ramp = u(-1, 1) * g.view(1, 1, 1, size) + u(-1, 1) * g.view(1, 1, size, 1)
    return torch.where(on(0.2), x * (1 + 0.4 * ramp), x)


def erase(x, share):
    n, dev, size = len(x), x.device, x.shape[2]
    g = (torch.arange(size, device=dev) + 0.5) / size
    u = torch.rand(n, 5, device=dev)
    mx = (g[None] - u[:, :1]).abs() < 0.05 + 0.17 * u[:, 2:3]
    my = (g[None] - u[:, 1:2]).abs() < 0.05 + 0.17 * u[:, 3:4]
    m = (my[:, :, None] & mx[:, None, :] & (u[:, 4] < share)[:, None, None])[:, None]
    return torch.where(m, torch.rand(n, 3, 1, 1, device=dev), x)


def augment(pictures, par, size, rng):
    """A batch of training crops [n, 3, size, size], normalised. Batches are already in random order, so chunks are fair."""
    x = sample(pictures, matrices(par, size, 1.0, par.device, True), size, True)
    parts = []
    for i, c in enumerate(x.chunk(8)):
        if i % 2 == 0 and rng.random() < 0.5:
            c = blur(c, rng)
        s = rng.choice([24, 32, 32, 40, 48, 56, 64, 80]) if i in (1, 4, 6) else size
        if s < size:
            c = F.interpolate(c, (s, s), mode="bilinear", antialias=True, align_corners=False)
            c = jpeg(noise(c, 0.5), 0.35).clamp(0, 1)
            c = F.interpolate(c, (size, size), mode=rng.choice(["bilinear", "bicubic"]), align_corners=False)
        else:
            c = jpeg(noise(c, 0.3), 0.35)
        parts.append(c)
    x = erase(colour(torch.cat(parts)), 0.25)
    return (x.clamp(0, 1) - 0.5) / 0.25


def plain(pictures, par, size):
    return (sample(pictures, matrices(par, size, 0.0, par.device, False), size, False) - 0.5) / 0.25


def targets(y):
    """[n, 18] soft labels: ages share 0.2 with their neighbours, genders 0.04, races 0.1 with all."""
    a = F.one_hot(y[:, 0], 9).float()
    lo, hi = F.one_hot((y[:, 0] - 1).clamp(min=0), 9), F.one_hot((y[:, 0] + 1).clamp(max=8), 9)
    a = 0.76 * a + 0.1 * (lo + hi) + 0.04 / 9
    g = F.one_hot(y[:, 1], 2) * 0.96 + 0.02
    r = F.one_hot(y[:, 2], 7) * 0.9 + 0.1 / 7
    return torch.cat([a, g, r], 1)


def loss_of(logits, t):
    lp = [p.log_softmax(1) for p in logits.float().split(CLASSES, 1)]
    parts = [-(q * p).sum(1).mean() for p, q in zip(lp, t.split(CLASSES, 1))]
    return parts[0] + parts[1] + 1.2 * parts[2]


def figures(logits, y):
    a, g, r = [p.argmax(1) for p in logits.split(CLASSES, 1)]
    f = lambda m: round(m.float().mean().item(), 4)
    return dict(n=len(y), age=f(a == y[:, 0]), age1=f((a - y[:, 0]).abs() <= 1), gender=f(g == y[:, 1]), race=f(r == y[:, 2]))


def temperatures(logits, y):
    out = []
    for i, p in enumerate(logits.split(CLASSES, 1)):
        grid = torch.exp(torch.linspace(-1.2, 1.2, 121))
        nll = [F.cross_entropy(p / t, y[:, i]).item() for t in grid.to(p.device)]
        out.append(round(grid[int(np.argmin(nll))].item(), 4))
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--net", choices=["a", "b"], required=True)
    ap.add_argument("--data", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--seconds", type=float, default=400)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--batch", type=int, default=512)
    ap.add_argument("--lr", type=float, default=2.5e-3)
    ap.add_argument("--limit", type=int, default=0, help="faces a shard, for a trial on a CPU")
    ap.add_argument("--workers", type=int, default=14)
    a = ap.parse_args()
    start = time.time()
    dev = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    os.makedirs(a.out, exist_ok=True)
    torch.manual_seed(a.seed)
    np.random.seed(a.seed)
    rng = np.random.default_rng(a.seed)
    size, off = TABLE[a.net]["size"], 0 if a.net == "a" else 4

    loaded = [load(p[:-4], a.workers, a.limit) for p in sorted(glob.glob(os.path.join(a.data, "train-*.npz")))]
    pictures = torch.from_numpy(np.stack([x for l in loaded for x in l[0]])).permute(0, 3, 1, 2).contiguous().to(dev)
    par = torch.from_numpy(np.concatenate([l[1] for l in loaded]))[:, off:off + 4].to(dev)
    labels = torch.from_numpy(np.concatenate([l[2] for l in loaded])).to(dev)
    val, _, val_y = load(os.path.join(a.data, "val"), a.workers)
    val = torch.from_numpy(np.stack(val[off // 4::2])).permute(0, 3, 1, 2).to(dev)
    val_y = torch.from_numpy(val_y[off // 4::2]).to(dev)
    # 5 % of the training faces never train: temperatures and choices come from them, not from the validation set.
    order = torch.randperm(len(labels), device=dev, generator=torch.Generator(dev).manual_seed(a.seed))
    held, train = order[:len(order) // 20], order[len(order) // 20:]
    y = labels[train]
    inverse = lambda i, k, power: (1 / torch.bincount(y[:, i], minlength=k).float().clamp(min=1)) ** power
    weight = inverse(2, 7, 1.0)[y[:, 2]] * inverse(0, 9, 0.4)[y[:, 0]] * inverse(1, 2, 1.0)[y[:, 1]]
    print(f"{a.net}: {len(train)} faces, {len(held)} held out, {len(val)} validation, {time.time() - start:.1f} s", flush=True)

    net = Net(a.net).to(dev).to(memory_format=torch.channels_last)
    ema = copy.deepcopy(net).eval()
    groups = [dict(params=[p for p in net.parameters() if p.ndim > 1], weight_decay=0.06),
              dict(params=[p for p in net.parameters() if p.ndim <= 1], weight_decay=0.0)]
    opt = torch.optim.AdamW(groups, lr=a.lr, fused=dev.type == "cuda")
    step, t0, last = 0, time.time(), time.time()
    running = 0.0
    while True:
        fr = (time.time() - t0) / a.seconds
        if fr >= 1:
            break
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * fr)) + 1e-6
        net.train()
        i = train[torch.multinomial(weight, a.batch, replacement=True)]
        with torch.no_grad():
            x = augment(pictures[i].float() / 255, par[i], size, rng)
            t = targets(labels[i])
            if rng.random() < 0.4 * (fr < 0.9):            # mixup, but not while the rate comes to rest
                lam = float(rng.beta(0.4, 0.4))
                x, t = lam * x + (1 - lam) * x.flip(0), lam * t + (1 - lam) * t.flip(0)
        with torch.autocast(dev.type, torch.bfloat16, enabled=dev.type == "cuda"):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, t)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        opt.step()
        step += 1
        d = min(0.998, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(net.parameters()), 1 - d)
            for b, c in zip(ema.buffers(), net.buffers()):
                b.lerp_(c, 1 - d) if b.is_floating_point() else b.copy_(c)
        if step % 50 == 0:
            running = loss.item()                          # also keeps the queue of launches short
        if time.time() - last > a.seconds / 12:
            last = time.time()
            with torch.no_grad():
                o = torch.cat([ema(plain(pictures[k].float() / 255, par[k], size)) for k in held.split(500)])
                v = torch.cat([ema((c.float() / 255 - 0.5) / 0.25) for c in val.split(500)])
            print(f"{a.net} {time.time() - t0:6.1f} s step {step} epoch {step * a.batch / len(train):.1f} loss {running:.3f}",
                  "held", figures(o, labels[held]), "val", figures(v, val_y), flush=True)

    w = {k: v.half() for k, v in fold(ema).items()}
    f = {k: v.float() for k, v in w.items()}
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    with torch.no_grad():
        run = lambda x: reference(a.net, f, x)
        clean = torch.cat([run(plain(pictures[k].float() / 255, par[k], size)) for k in held.split(500)])
        hard = torch.cat([run(augment(pictures[k].float() / 255, par[k], size, rng)) for k in held.split(500)])
        v = torch.cat([run((c.float() / 255 - 0.5) / 0.25) for c in val.split(500)])
        v2 = torch.cat([run((c.float() / 255 - 0.5).flip(3) / 0.25) for c in val.split(500)])
    log = dict(net=a.net, seed=a.seed, seconds=a.seconds, steps=step, batch=a.batch, epochs=round(step * a.batch / len(train), 1),
               train=len(train), held_out=figures(clean, labels[held]), held_out_degraded=figures(hard, labels[held]),
               validation=figures(v, val_y), validation_flip=figures((v + v2) / 2, val_y),
               temperatures=temperatures(torch.cat([clean, hard]), torch.cat([labels[held], labels[held]])),
               **describe(a.net))
    print(json.dumps(log), flush=True)
    from safetensors.torch import save_file
    save_file({k: x.contiguous().cpu() for k, x in w.items()}, os.path.join(a.out, f"attributes-{a.net}.safetensors"))
    with open(os.path.join(a.out, f"attributes-{a.net}.json"), "w") as h:
        json.dump(log, h, indent=1)


if __name__ == "__main__":
    main()
