#!/usr/bin/env python3
"""Trains the face generator further, from the weights in a folder, on one or more GPUs.

  torchrun --nproc-per-node N train_facegen.py --oracles DIR --data DIR --points FILE --dlib DIR --gate FILE.c
           --weights FOLDER --out DIR --seconds 900 [--batch 512]
writes OUT/facegen-I-of-N.safetensors, OUT/facegen-identity.safetensors, OUT/facegen.json and OUT/log.txt. Identities are seen
only with noise of their own, which is meant to keep them from leading back to one training face; what is kept of them is a mean
for each class and one covariance. tools/sample_facegen.py draws, bench/bench_facegen judges and tells the nearest training faces.
needs: torch numpy pillow
"""
import argparse
import json
import os
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

import dlib_net
import facegen_conditions
import facegen_net

parse = argparse.ArgumentParser()
for name in ("oracles", "data", "points", "dlib", "gate", "weights", "out"):
    parse.add_argument("--" + name, required=True)
parse.add_argument("--seconds", type=float, default=900)
parse.add_argument("--batch", type=int, default=512, help="of each GPU")
parse.add_argument("--lr", type=float, default=1.5e-3)
parse.add_argument("--clean", type=float, nargs=2, default=(.15, .20), help="share of AI-made faces, before and after half time")
parse.add_argument("--likeness", type=float, default=.02, help="weight of dlib's squared distance between the estimate and the face")
parse.add_argument("--limit", type=int, default=0)
parse.add_argument("--workers", type=int, default=14)
parse.add_argument("--steps", type=int, default=0, help="stop after so many (for a trial)")
a = parse.parse_args()

M = facegen_net.base(a.oracles)
import facegen_train as T                                      # noqa: E402  (Muon)

rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
cuda = torch.cuda.is_available()
device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
os.makedirs(a.out, exist_ok=True)
began = time.time()


def log(*words):
    if rank == 0:
        print(*words, flush=True)
        with open(f"{a.out}/log.txt", "a") as f:
            print(*words, file=f)


# ---- data
rows, X, V, more, identity, marks, made = facegen_conditions.load(
    a.oracles, a.data, a.points, a.dlib, a.gate, 128, str(device), a.workers, a.limit)
if cuda:
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
if world > 1:
    dist.init_process_group("nccl" if cuda else "gloo")
k = torch.tensor([[int(r[n]) if int(r[n]) >= 0 else c for n, c in M.CLASSES] for r in rows])
v = torch.cat([torch.tensor([[float(r[c]) for c in M.CONT[:12]] for r in rows]), more], 1)
known = ~v.isnan()
clean = k[:, 3] == 1
who = ~identity.isnan().any(1)
stats = dict(mean=[], std=[])
for i in range(len(M.CONT)):
    q = v[known[:, i], i]
    stats["mean"].append(0. if M.CONT[i] in ("yaw", "gaze_x", "side_light") else q.mean().item())
    stats["std"].append(q.std().item())
for j in range(7):
    q = v[clean & (k[:, 2] == j)]
    if len(q):
        middle = q.nanmedian(0).values
        stats[f"race{j}"] = [round(x, 5) for x in torch.where(middle.isnan(), torch.tensor(stats["mean"]), middle).tolist()]


# A descriptor tells a little of these too, and of the mouth most; who is drawn shall not be somebody who laughs or looks aside.
NEUTRAL = dict(mouth_open=.008, mouth_width=None, eye_open=None, smile=0., pitch=0., fringe=0., glasses=-4., beard=None, log_sharp=None)


def distribution():
    """Of descriptors of neutral faces: mean = (race, gender) + age + whether clean + NEUTRAL (None: as faces with a shut mouth
    are), fitted together; one covariance around it."""
    sel = who & (k[:, 0] < 9) & (k[:, 1] < 2) & (k[:, 2] < 7)
    e, c, u = identity[sel].double(), k[sel], v[sel].double()
    shut = u[:, M.CONT.index("mouth_open")] < .02
    traits = []
    for name, value in NEUTRAL.items():
        q = u[:, M.CONT.index(name)]
        value = q[shut].nanmedian().item() if value is None else value
        q = q.where(~q.isnan(), q.nanmean()) - value
        traits.append(q / q.std())
    gap, turn = u[:, M.CONT.index("mouth_open")], u[:, M.CONT.index("yaw")]
    traits += [(gap.clamp(max=.05) - NEUTRAL["mouth_open"]) / .02, turn.square() / 100]
    A = torch.cat([torch.zeros(len(e), 14 + 9 + 1, dtype=torch.double), torch.stack(traits, 1)], 1)
    A[torch.arange(len(e)), c[:, 2] * 2 + c[:, 1]] = 1
    A[torch.arange(len(e)), 14 + c[:, 0]] = 1
    A[:, 23] = (c[:, 3] == 1).double()
    w = torch.linalg.solve(A.T @ A + .5 * torch.eye(A.shape[1], dtype=torch.double), A.T @ e)
    r = e - A @ w
    cov = r.T @ r / len(r)
    return dict(centre=identity[who].mean(0), cell=(w[:14] + w[23]).float(), age=w[14:23].float(),
                factor=torch.linalg.cholesky(cov + 1e-7 * torch.eye(128, dtype=torch.double)).float())


who_is = distribution()
scale = stats["identity_scale"] = identity[who].std(0).mean().item()
stats["cont"] = M.CONT
kv = torch.cat([(v - torch.tensor(stats["mean"])) / torch.tensor(stats["std"]), (identity - who_is["centre"]) / scale], 1)
kk = torch.cat([known, who[:, None].expand(-1, 128)], 1).float()
kv = kv.nan_to_num(0).float()
log(f"loaded {len(X)} faces, {int(clean.sum())} clean, {int(who.sum())} with identity, scale {scale:.4f}, {time.time() - began:.0f} s")

weight = torch.ones(len(k))
count = torch.bincount(k[~clean, 0], minlength=10).float().clamp(min=1)
sharp = v[:, 7]
weight = (1 / count.sqrt())[k[:, 0]] * (.3 + torch.sigmoid((sharp - 4.6) * 2)) * (1 - .5 * v[:, 0].abs() / 32)
weights = []
for share, floor in zip(a.clean, (1., .15)):
    w = weight * (1 if floor == 1 else floor + torch.sigmoid((sharp - 5) * 2))
    w[clean] = 1
    w[~clean] *= (1 - share) / w[~clean].sum()
    w[clean] *= share / w[clean].sum().clamp(min=1e-9)
    weights.append(w.to(device))

# ---- network
card = json.load(open(f"{a.weights}/facegen.json"))
cfg = card["arch"]
torch.manual_seed(1)
net, ema = facegen_net.make_net(M, cfg), facegen_net.make_net(M, cfg)
state = {**net.state_dict(), **M.load_q8([f"{a.weights}/{f}" for f in card["files"]], net.state_dict())}
net.load_state_dict(state)
ema.load_state_dict(state)
net, ema = net.to(device), ema.to(device).eval().requires_grad_(False)
if cuda:
    net, ema = net.to(memory_format=torch.channels_last), ema.to(memory_format=torch.channels_last)
hidden, rest = [], []
for name, p in net.named_parameters():
    small = name.startswith(("p0", "p1", "cls", "inp", "out", "t1", "k1", "i1", "mo.")) or ".mod." in name
    (rest if small or p.ndim < 2 else hidden).append(p)
optimisers = [T.Muon(hidden, a.lr, wd=.05),
              torch.optim.AdamW(rest, lr=a.lr / 2, betas=(.9, .97), eps=1e-8, weight_decay=0., fused=cuda)]
for o in optimisers:
    for g in o.param_groups:
        g["lr0"] = g["lr"]
if cuda:
    for m in net.modules():
        if isinstance(m, (M.Res, M.Block)):
            m.compile(dynamic=False)

# ---- training
S, B = cfg["img"], a.batch
g = (torch.arange(S, device=device) + .5) / S
yy, xx = torch.meshgrid(g, g, indexing="ij")
oval = .3 + .7 * torch.sigmoid((1 - torch.sqrt(((xx - .5) / .44) ** 2 + ((yy - .52) / .52) ** 2)) * 12)
unknown = torch.tensor([n for _, n in M.CLASSES], device=device)
groups = torch.zeros(len(M.GROUPS) + 1, len(M.CONT) + 128, device=device)
for i, members in enumerate(M.GROUPS + [list(range(len(M.CONT), len(M.CONT) + 128))]):
    groups[i, members] = 1
keep = torch.tensor([.85] * 7 + [.7] * (len(M.GROUPS) - 7) + [.85], device=device)
sign = torch.ones(len(M.CONT) + 128, device=device)
sign[[0, 5, 14]] = -1
marks, dlib = marks.nan_to_num(.5).to(device), dlib_net.load(a.oracles, a.dlib, device)
X, V, k, kv, kk = (t.to(device) for t in (X, V, k, kv, kk))
made, centre = made.to(device), who_is["centre"].to(device)
clean_at = clean.nonzero()[:, 0].to(device)                    # which faces `made` has
P, E = list(net.parameters()), list(ema.parameters())
torch.manual_seed(100 + rank)
n, start, total, last = 0, time.time(), torch.zeros(2, device=device), 0


def share_gradients():
    flat = torch.cat([p.grad.reshape(-1) for p in P])
    dist.all_reduce(flat)
    flat /= world
    o = 0
    for p in P:
        p.grad.copy_(flat[o:o + p.numel()].view_as(p))
        o += p.numel()


def bend(n):
    """Other faces from AI-made ones, of which there are few: a smooth field, the same from left and right, stretches the n-th of
    `made` here and there by some 5 %. -> picture, which of it is real, marks"""
    knots = torch.randn(len(n), 2, 6, 6, device=device) * .027
    knots = (knots + knots.flip(3) * torch.tensor([-1., 1.], device=device)[:, None, None]) / 2 ** .5
    field = F.interpolate(knots, size=(S, S), mode="bicubic", align_corners=True)
    grid = torch.stack([xx, yy], -1) * 2 - 1 + field.permute(0, 2, 3, 1)
    read = lambda source, mode: F.grid_sample(source, grid, mode=mode, align_corners=False, padding_mode="reflection")
    moved = F.grid_sample(field, (marks[clean_at[n]] * 2 - 1)[:, :, None], align_corners=False)[..., 0].permute(0, 2, 1) / 2
    return (read(made[n].float(), "bicubic").round_().clamp_(0, 255).div_(127.5).sub_(1),
            read(V[clean_at[n]][:, None].float(), "bilinear")[:, 0] > .99, marks[clean_at[n]] - moved)


def describe(x, three):
    """dlib's descriptor of pictures in -1..1 whose eyes and mouth are at `three`"""
    p = three * S - .5
    return dlib.embed(facegen_conditions.crops_of((x + 1) * 127.5, p[:, :2], p[:, 2]).permute(0, 2, 3, 1))


while True:
    done = torch.tensor(min(1., (time.time() - start) / a.seconds), device=device)
    if world > 1:
        dist.broadcast(done, 0)
    done = done.item()
    if done >= 1 or (a.steps and n >= a.steps):
        break
    lr = min(1., (n + 1) / 200) * (1. if done < .35 else max(.004, (1 - done) / .65))
    for o in optimisers:
        for group in o.param_groups:
            group["lr"] = group["lr0"] * lr
    i = torch.multinomial(weights[done > .5], B, replacement=True)
    x, valid, c, q, m, three = X[i].float().div_(127.5).sub_(1), V[i], k[i], kv[i], kk[i], marks[i]
    known, domain = m[:, -1] > 0, c[:, 3]
    bent = ((domain == 1) & known & (torch.rand(B, device=device) < .7)).nonzero()[:, 0]
    x[bent], valid[bent], three[bent] = bend(torch.searchsorted(clean_at, i[bent]))
    flip = torch.rand(B, device=device) < .5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    valid = torch.where(flip[:, None, None], valid.flip(2), valid)
    q = torch.where(flip[:, None], q * sign, q)
    other_side = three[:, [1, 0, 2]] * torch.tensor([-1., 1.], device=device) + torch.tensor([1., 0.], device=device)
    three = torch.where(flip[:, None, None], other_side, three)
    three = three + torch.randn_like(three) * .006
    with torch.no_grad():
        face = describe(x, three)
    q[bent, -128:] = (face[bent] - centre) / scale
    q[:, -128:] += torch.randn(B, 128, device=device) * torch.rand(B, 1, device=device) * .25
    everything = torch.rand(B, 1, device=device) < .1
    c = torch.where((torch.rand(B, 4, device=device) < .08) | everything, unknown, c)
    m = m * (((torch.rand(B, len(groups), device=device) < keep) & ~everything).float() @ groups)
    # photographs teach what faces there are, which high noise decides; AI-made ones how a clean picture looks
    t = torch.sigmoid(.1 + .6 * (domain == 1) + 1.2 * torch.randn(B, device=device)).clamp(.004, .996)
    c[:, 3] = torch.where((t < .25) & (torch.rand(B, device=device) < .5), 2, c[:, 3])
    t_ = t[:, None, None, None]
    z = t_ * x + (1 - t_) * torch.randn_like(x)
    skip, gain, scaled = M.precond(t_)
    with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
        f = net(scaled * z, t, c, q, m)
    w = (oval * valid)[:, None]
    f = f.float()
    loss = ((f - (x - skip * z) / gain).square() * w).sum() / (3 * w.sum())
    like = (describe((skip * z + gain * f).clamp(-1, 1), three) - face).square().sum(1)
    like = (like * known * m[:, -1] * ((t > .1) & (t < .65))).sum() / B
    (loss + a.likeness * like).backward()
    if world > 1:
        share_gradients()
    torch.nn.utils.clip_grad_norm_(P, 1.)
    for o in optimisers:
        o.step()
    net.zero_grad(set_to_none=True)
    n += 1
    with torch.no_grad():
        torch._foreach_lerp_(E, P, 1 - ((1 - 1 / n) ** 14 if n > 1 else 0.))
        total += torch.stack([loss.detach(), like.detach()])
    if n % 100 == 0 or n <= 3:
        mean = total / (n - last)
        log(f"{time.time() - start:6.0f} s  step {n}  loss {mean[0].item():.5f}  likeness {mean[1].item():.5f}  rate {lr:.3f}")
        total.zero_()
        last = n
log(f"{n} steps of {B * world} in {time.time() - start:.0f} s")

# ---- weights
if rank == 0:
    state = ema.state_dict()
    for name, value in who_is.items():
        state["identity." + name] = value
    parts = M.export({n: w for n, w in state.items() if not n.startswith("identity.")}, f"{a.out}/facegen", meta=dict(format="q8_0 block 32"))
    M.st_write(f"{a.out}/facegen-identity.safetensors",
               {n: w.cpu().numpy().astype(np.float16) for n, w in state.items() if n.startswith("identity.")}, {})
    for old in ("train", "sampler"):                           # of the network this one started from
        card.pop(old, None)
    json.dump(dict(card, cont=M.CONT, stats=stats, files=[os.path.basename(p) for p in parts], steps=n),
              open(f"{a.out}/facegen.json", "w"))
    log("written", len(parts), "parts")
log(f"all done after {time.time() - began:.0f} s")
if world > 1:
    dist.destroy_process_group()
