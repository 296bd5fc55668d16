#!/usr/bin/env python3
"""Trains the second stage of the face generator: a small network that enlarges its 128-px portrait to 256 px.

  python train_facegen_upsample.py --data FOLDER --out FOLDER --seconds 240 [--batch 48] [--samples PICTURES.tar]
FOLDER of --data has faces.bin (WebP one after another) and faces.tsv (offset, length, source, width, height, side):
AI-made faces, real pixels only, so no loss needs a mask. Writes OUT/facegen-upsample.safetensors (fp16, convolutions
O,H,W,I), OUT/upsample.json, OUT/log.txt, OUT/sheet.png (held-out faces: bicubic, network, truth) and, with --samples (a
tar of 128-px pictures), OUT/samples.png (bicubic, network). The last seconds of --seconds are for writing.
needs: torch numpy pillow
"""

import argparse
import copy
import csv
import io
import json
import math
import os
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from facegen_upsample_net import Upsample, st_write, tensors_of

parse = argparse.ArgumentParser()
parse.add_argument("--data", required=True)
parse.add_argument("--out", required=True)
parse.add_argument("--seconds", type=float, default=240)
parse.add_argument("--steps", type=int, default=0, help="stop after so many (for a trial)")
parse.add_argument("--batch", type=int, default=48)
parse.add_argument("--workers", type=int, default=8)
parse.add_argument("--width", type=int, default=64)
parse.add_argument("--blocks", type=int, default=10)
parse.add_argument("--lr", type=float, default=5e-4)
parse.add_argument("--warm", type=float, default=0.3, help="share of the time before the discriminator counts")
parse.add_argument("--adversarial", type=float, default=0.5, help="its gradient relative to that of the pixel losses")
parse.add_argument("--features", type=float, default=0.4, help="the same, for the discriminator's features")
parse.add_argument("--held", type=int, default=60)
parse.add_argument("--finish", type=float, default=15, help="seconds kept for the held-out faces and the files")
parse.add_argument("--samples", default="")
a = parse.parse_args()

began = time.time()
cuda = torch.cuda.is_available()
device = torch.device("cuda" if cuda else "cpu")
os.makedirs(a.out, exist_ok=True)
open(f"{a.out}/log.txt", "w").close()
torch.manual_seed(1)
rng = np.random.default_rng(1)
PATCH = 128  # of the large picture


def log(*words):
    print(*words, flush=True)
    with open(f"{a.out}/log.txt", "a") as f:
        print(*words, file=f)


# ---- networks
class Judge(nn.Module):
    """Patch discriminator: one logit for each 8x8 pixels, and the features of its layers."""

    def __init__(self):
        super().__init__()
        sizes = [(3, 48, 3, 1), (48, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2), (256, 256, 3, 1), (256, 1, 3, 1)]
        self.layer = nn.ModuleList(spectral_norm(nn.Conv2d(i, o, k, s, 1)) for i, o, k, s in sizes)

    def forward(self, x):
        features, h = [], (x - 0.5) * 4
        for m in self.layer[:-1]:
            h = F.leaky_relu(m(h), 0.2)
            features.append(h)
        return self.layer[-1](h), features


# ---- data
def load():
    with open(f"{a.data}/faces.tsv") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    with open(f"{a.data}/faces.bin", "rb") as f:
        blob = f.read()
    read = lambda r: np.asarray(
        Image.open(io.BytesIO(blob[int(r["offset"]) : int(r["offset"]) + int(r["length"])])).convert("RGB")
    )
    with ThreadPoolExecutor(a.workers) as ex:
        pictures = list(ex.map(read, rows))
    return rows, pictures


rows, pictures = load()
order = rng.permutation(len(rows))
large = np.array([int(r["side"]) == 256 for r in rows])  # as large in the picture as the output will be
whole = np.array([min(p.shape[:2]) >= 248 for p in pictures])
held = [i for i in order if large[i] and whole[i]][: min(16, a.held // 2 + 1)]  # 16 for the sheet to choose from,
held += [i for i in order if i not in held][: a.held - len(held)]  # the rest from all
train = np.array([i for i in order if i not in set(held)])
store = torch.zeros(len(train), 3, 256, 256, dtype=torch.uint8)
for k, i in enumerate(train):
    p = torch.from_numpy(pictures[i].copy()).permute(2, 0, 1)[:, :256, :256]
    store[k, :, : p.shape[1], : p.shape[2]] = p
store = store.to(device)
size = torch.tensor([pictures[i].shape[:2] for i in train]).clamp(max=256)
share = torch.tensor([0.5 / large[train].sum() if v else 0.5 / (~large[train]).sum() for v in large[train]])


def cut(n, side):
    """n random side x side patches of faces that have room for them, float 0..1, turned over at random"""
    pick = torch.multinomial(share * (size.min(1).values >= side), n, replacement=True)
    y = (torch.rand(n) * (size[pick, 0] - side + 1)).long()
    x = (torch.rand(n) * (size[pick, 1] - side + 1)).long()
    pick, y, x = pick.to(device), y.to(device), x.to(device)
    u = torch.arange(side, device=device)
    p = (
        store[
            pick[:, None, None, None],
            torch.arange(3, device=device)[None, :, None, None],
            (y[:, None] + u)[:, None, :, None],
            (x[:, None] + u)[:, None, None, :],
        ].float()
        / 255
    )
    return torch.where(torch.rand(n, 1, 1, 1, device=device) < 0.5, p.flip(3), p)


def large_patches(n):
    """Half as they are, half shrunk: the pack's faces do not all have the output's size, so several sizes are seen."""
    side = PATCH + 2 * int(torch.randint(1, 27, ()))
    b = F.interpolate(cut(n // 2, side), size=(PATCH, PATCH), mode="bicubic", antialias=True, align_corners=False)
    p = torch.cat([cut(n - n // 2, PATCH), b])
    gain = 1 + 0.1 * (torch.rand(n, 3, 1, 1, device=device) - 0.5)  # of the pair: other light, other skin
    return (p * gain).clamp(0, 1)


def blur(x, sigma):
    """Gaussian blur with one sigma for each picture [n]."""
    r = torch.arange(-4, 5, device=x.device).float()
    k = torch.exp(-(r**2) / (2 * sigma.clamp(min=0.05)[:, None] ** 2))
    k = (k / k.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)[:, None]
    n, c, h, w = x.shape
    x = F.pad(x, (4, 4, 4, 4), mode="replicate").reshape(1, n * c, h + 8, w + 8)
    return F.conv2d(F.conv2d(x, k[:, :, None], groups=n * c), k[..., None], groups=n * c).view(n, c, h, w)


YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], device=device)
DCT = torch.tensor(
    [
        [math.cos(math.pi * (2 * j + 1) * i / 16) * (math.sqrt(1 / 8) if i == 0 else 0.5) for j in range(8)]
        for i in range(8)
    ],
    device=device,
)


def compress(x, step):
    """What lossy pictures lose: half the colour resolution; 8x8 cosines rounded to a step that grows with frequency."""
    n, _, h, w = x.shape
    y = torch.einsum("ij,njhw->nihw", YCC, x)
    c = F.interpolate(F.avg_pool2d(y[:, 1:], 2), scale_factor=2, mode="bilinear", align_corners=False)
    y = torch.cat([y[:, :1], c], 1).view(n, 3, h // 8, 8, w // 8, 8)
    y = torch.einsum("ui,vj,ncaibj->ncaubv", DCT, DCT, y)
    f = torch.arange(8, device=x.device).float()
    q = step.view(-1, 1, 1, 1, 1, 1) * (1 + 0.5 * (f[:, None, None] + f))
    y = torch.einsum("ui,vj,ncaubv->ncaibj", DCT, DCT, (y / q).round() * q).reshape(n, 3, h, w)
    return torch.einsum("ij,njhw->nihw", torch.linalg.inv(YCC), y)


def small_patches(x):
    """The input made of the target: slightly soft, halved in one of three ways, some compressed, a little noise."""
    n = len(x)
    x = blur(x, torch.rand(n, device=device) * 1.1)
    halves = []
    for k, p in enumerate(x.tensor_split(3)):
        halves.append(
            F.avg_pool2d(p, 2)
            if k == 0
            else F.interpolate(
                p, scale_factor=0.5, mode=("bilinear", "bicubic")[k - 1], antialias=True, align_corners=False
            )
        )
    x = torch.cat(halves)
    lossy = compress(x, 0.002 + 0.02 * torch.rand(n, device=device))
    x = torch.where(torch.rand(n, 1, 1, 1, device=device) < 0.4, lossy, x)
    return (x + torch.randn_like(x) * 0.012 * torch.rand(n, 1, 1, 1, device=device)).clamp(0, 1)


# ---- training
net, judge = Upsample(a.width, a.blocks).to(device), Judge().to(device)
net, judge = net.to(memory_format=torch.channels_last), judge.to(memory_format=torch.channels_last)
mean = copy.deepcopy(net).requires_grad_(False)
safe = copy.deepcopy(net.state_dict())
parameters = sum(p.numel() for p in net.parameters())
work = (
    2
    * 128
    * 128
    * (sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d)) + 3 * net.tail.weight.numel())
)
optimise = torch.optim.AdamW(net.parameters(), a.lr, betas=(0.9, 0.99), weight_decay=0, fused=cuda)
optimise_judge = torch.optim.AdamW(judge.parameters(), 2e-4, betas=(0.5, 0.99), weight_decay=0, fused=cuda)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = True
half = lambda: torch.autocast(device.type, torch.bfloat16, enabled=cuda)
soft = lambda x: blur(x, torch.ones(len(x), device=device))
log(
    len(train),
    "faces to train on,",
    int(large[train].sum()),
    "of full size;",
    len(held),
    "held out;",
    parameters,
    "parameters,",
    "%.1f GFLOP; %.1f s to load" % (work / 1e9, time.time() - began),
)


def losses_of_judge(real, fake):
    """Relativistic: each place of the fake against the same place of the truth. Also the features of both."""
    with parametrize.cached():
        for m in judge.layer:
            m.weight  # its spectral norm is found in full precision, then kept
        with half():
            score, features = judge(torch.cat([real, fake]).contiguous(memory_format=torch.channels_last))
    r, f = score.float().chunk(2)
    return r, f, [v.float().chunk(2) for v in features]


def share_of(gradient, reference, weight):
    """A gradient scaled to `weight` times the size of another."""
    return gradient * (weight * reference.norm() / gradient.norm().clamp(min=1e-12))


step, trouble, started, until, history = 0, 0, time.time(), began + a.seconds - a.finish, []
while True:
    t = (time.time() - started) / max(until - started, 1e-3)
    if a.steps:
        t = step / a.steps
    if t >= 1:
        break
    for o, lr in (
        (optimise, a.lr * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * t)))),
        (optimise_judge, 2e-4 * min(1, 4 * (1 - t) + 0.1)),
    ):
        for g in o.param_groups:
            g["lr"] = lr * min(1, (step + 1) / 100)
    real = large_patches(a.batch)
    real = real[torch.randperm(a.batch, device=device)]
    x = small_patches(real)
    with half():
        out = net(x.contiguous(memory_format=torch.channels_last))
    fake = out.detach()
    image = fake.clone().requires_grad_()
    pixel = torch.sqrt((image - real) ** 2 + 1e-6).mean()
    low = (soft(F.avg_pool2d(image, 2)) - soft(x)).abs().mean()  # identity and colour stay those of the input
    (gradient,) = torch.autograd.grad(pixel + 2 * low, image)
    zero = torch.zeros((), device=device)
    adversarial, likeness, loss_judge = zero, zero, zero
    if t >= a.warm * 0.7:  # the discriminator begins earlier than it counts
        r, f, _ = losses_of_judge(real, fake)
        loss_judge = F.softplus(f - r).mean() + 0.001 * (r**2 + f**2).mean()
        optimise_judge.zero_grad(set_to_none=True)
        loss_judge.backward()
        nn.utils.clip_grad_norm_(judge.parameters(), 5.0)
        optimise_judge.step()
    if t >= a.warm:
        judge.requires_grad_(False)
        r, f, features = losses_of_judge(real, image)
        adversarial = F.softplus(r.detach() - f).mean()
        likeness = sum((p.detach() - q).abs().mean() / p.detach().abs().mean().clamp(min=1e-3) for p, q in features)
        ramp = min(1, (t - a.warm) / 0.1)
        (ga,) = torch.autograd.grad(adversarial, image, retain_graph=True)
        (gf,) = torch.autograd.grad(likeness, image)
        gradient = gradient + ramp * (share_of(ga, gradient, a.adversarial) + share_of(gf, gradient, a.features))
        judge.requires_grad_(True)
    optimise.zero_grad(set_to_none=True)
    out.backward(torch.nan_to_num(gradient, 0, 0, 0))
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimise.step()
    with torch.no_grad():
        keep = min(0.999, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(mean.parameters()), list(net.parameters()), 1 - keep)
    step += 1
    if step % 50 == 0 or step == a.steps:
        v = [q.item() for q in (pixel, low, adversarial, likeness, loss_judge)]
        fine = all(math.isfinite(q) for q in v) and all(
            bool(p.isfinite().all()) for p in [*net.parameters(), *mean.parameters()]
        )
        if fine:
            safe = copy.deepcopy(mean.state_dict())
        else:  # back to the last good mean, with fresh optimisers
            trouble += 1
            for n in (net, mean):
                n.load_state_dict(safe)
            optimise.state.clear()
            optimise_judge.state.clear()
            if not all(bool(p.isfinite().all()) for p in judge.parameters()):
                judge = Judge().to(device).to(memory_format=torch.channels_last)
                optimise_judge = torch.optim.AdamW(
                    judge.parameters(), 2e-4, betas=(0.5, 0.99), weight_decay=0, fused=cuda
                )
        history.append(v)
        log(
            "step %d  %.0f s  pixel %.4f low %.4f adversarial %.3f features %.3f judge %.3f%s"
            % (step, time.time() - began, *v, "" if fine else "  not finite: went back")
        )
log(
    "trained",
    step,
    "steps in %.0f s;" % (time.time() - started),
    trouble,
    "times back",
    "; %.1f GiB" % (torch.cuda.max_memory_allocated() / 2**30) if cuda else "",
)


# ---- files
torch.backends.cudnn.benchmark = False
mean.load_state_dict(safe)
mean.half().float()  # what the file will say
path = f"{a.out}/facegen-upsample.safetensors"
st_write(path, tensors_of(mean.state_dict()), dict(kind="facegen-upsample", width=a.width, blocks=a.blocks))
report = dict(
    kind="facegen-upsample",
    scale=2,
    width=a.width,
    blocks=a.blocks,
    leak=0.2,
    input="RGB 0..1, 0.5 is taken off before the head",
    skip="bilinear x2, half-pixel centres",
    parameters=parameters,
    gflop_at_128=round(work / 1e9, 2),
    bytes=os.path.getsize(path),
    steps=step,
    batch=a.batch,
    seconds=round(time.time() - began, 1),
    trouble=trouble,
    faces=len(train),
    last_losses=dict(
        zip(
            ("pixel", "low", "adversarial", "features", "judge"),
            [float(q) for q in np.mean(history[-10:], 0)] if history else [],
        )
    ),
    settings={k: v for k, v in vars(a).items() if k not in ("data", "out", "samples")},
)


def save():
    with open(f"{a.out}/upsample.json", "w") as f:
        json.dump(report, f, indent=1)


save()
bicubic = lambda x: F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False).clamp(0, 1)


def enlarge(x):
    with torch.inference_mode():
        return mean(x.contiguous(memory_format=torch.channels_last)).clamp(0, 1)


def picture(x):
    """[1, 3, h, w] in the middle of a 256 x 256 tile"""
    v = (x[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()[:256, :256]
    tile = np.full((256, 256, 3), 128, np.uint8)
    y, z = (256 - v.shape[0]) // 2, (256 - v.shape[1]) // 2
    tile[y : y + v.shape[0], z : z + v.shape[1]] = v
    return tile


def top_octave(x):
    y = (x[0] * torch.tensor([0.299, 0.587, 0.114], device=x.device)[:, None, None]).sum(0)
    h, w = y.shape
    y = (y - y.mean()) * torch.hann_window(h, device=x.device)[:, None] * torch.hann_window(w, device=x.device)
    r = torch.hypot(torch.fft.fftfreq(h, device=x.device)[:, None], torch.fft.fftfreq(w, device=x.device)[None])
    return float((torch.fft.fft2(y).abs() ** 2)[(r >= 0.25) & (r < 0.5)].sum()) / (h * w)


measured, sheet = {"bicubic": [], "network": []}, []
for k, i in enumerate(held):
    p = torch.from_numpy(pictures[i].copy()).to(device).permute(2, 0, 1)[None].float() / 255
    p = p[:, :, : p.shape[2] // 2 * 2, : p.shape[3] // 2 * 2]
    x = F.interpolate(p, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    x = (x * 255).round() / 255
    ways = {"bicubic": bicubic(x), "network": enlarge(x)}
    for name, y in ways.items():
        measured[name].append(
            (
                -10 * math.log10(float(((y - p) ** 2).mean()) + 1e-10),
                top_octave(y) / max(top_octave(p), 1e-12),
                float((F.avg_pool2d(y, 2) - x).abs().mean()) * 255,
            )
        )
    if len(sheet) < 8:
        sheet.append(np.concatenate([picture(v) for v in (ways["bicubic"], ways["network"], p)], 1))
for name, v in measured.items():
    m = np.array(v)
    report[name] = dict(
        psnr=round(float(m[:, 0].mean()), 3),
        top_octave=round(float(np.median(m[:, 1])), 4),
        low_pass_error_of_255=round(float(m[:, 2].mean()), 3),
    )
    log(name, report[name])
rows_of_two = [np.concatenate(sheet[k : k + 2], 1) for k in range(0, len(sheet) - 1, 2)]
Image.fromarray(np.concatenate(rows_of_two)).save(f"{a.out}/sheet.png")
save()
if a.samples:
    with tarfile.open(a.samples) as f:
        names = sorted(
            m.name for m in f.getmembers() if m.isfile() and m.name.lower().endswith((".webp", ".png", ".jpg"))
        )
        names = [names[k] for k in np.unique(np.linspace(0, len(names) - 1, 16).round().astype(int))]
        tiles, gain = [], []
        for name in names:
            v = np.asarray(Image.open(io.BytesIO(f.extractfile(name).read())).convert("RGB"))
            x = torch.from_numpy(v.copy()).to(device).permute(2, 0, 1)[None].float() / 255
            y, z = bicubic(x), enlarge(x)
            gain.append(top_octave(z) / max(top_octave(y), 1e-12))
            tiles.append(np.concatenate([picture(y), picture(z)], 1))
    while len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], 128))
    Image.fromarray(np.concatenate([np.concatenate(tiles[k : k + 2], 1) for k in range(0, len(tiles), 2)])).save(
        f"{a.out}/samples.png"
    )
    report["samples_top_octave_over_bicubic"] = round(float(np.median(gain)), 3)
    save()
log("done in %.1f s" % (time.time() - began))
