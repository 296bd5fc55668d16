#!/usr/bin/env python3
"""Trains the face generator with an identity condition, from the first generator's weights, on one or more GPUs.

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

import facegen_conditions
import facegen_net

parse = argparse.ArgumentParser()
for name in ("oracles", "data", "points", "dlib", "gate", "weights", "out"):
    parse.add_argument("--" + name, required=True)
parse.add_argument("--seconds", type=float, default=900)
parse.add_argument("--batch", type=int, default=512, help="of each GPU")
parse.add_argument("--lr", type=float, default=1.5e-3)
parse.add_argument("--clean", type=float, nargs=2, default=(.15, .20), help="share of AI-made faces, before and after half time")
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
rows, X, V, more, identity = facegen_conditions.load(a.data, a.points, a.dlib, a.gate, 128, str(device), a.workers, a.limit)
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


def distribution():
    """Of descriptors: mean = (race, gender) + age + whether clean, fitted together; one covariance around it."""
    sel = who & (k[:, 0] < 9) & (k[:, 1] < 2) & (k[:, 2] < 7)
    e, c = identity[sel].double(), k[sel]
    A = torch.zeros(len(e), 14 + 9 + 1, dtype=torch.double)
    A[torch.arange(len(e)), c[:, 2] * 2 + c[:, 1]] = 1
    A[torch.arange(len(e)), 14 + c[:, 0]] = 1
    A[:, 23] = (c[:, 3] == 1).double()
    w = torch.linalg.solve(A.T @ A + .5 * torch.eye(24, dtype=torch.double), A.T @ e)
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
first = M.CONT
M.CONT = first[:12]
old = M.Net(cfg).state_dict()
M.CONT = first
old = M.load_q8([f"{a.weights}/{f}" for f in card["files"]], old)
state = facegen_net.widen(old, net)
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
keep = torch.tensor([.85] * 6 + [.7] * (len(M.GROUPS) - 6) + [.8], device=device)
sign = torch.ones(len(M.CONT) + 128, device=device)
sign[[0, 5, 14]] = -1
X, V, k, kv, kk = (t.to(device) for t in (X, V, k, kv, kk))
P, E = list(net.parameters()), list(ema.parameters())
torch.manual_seed(100 + rank)
n, start, total, last = 0, time.time(), torch.zeros((), device=device), 0


def share_gradients():
    flat = torch.cat([p.grad.reshape(-1) for p in P])
    dist.all_reduce(flat)
    flat /= world
    o = 0
    for p in P:
        p.grad.copy_(flat[o:o + p.numel()].view_as(p))
        o += p.numel()


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
    x, valid, c, q, m = X[i].float().div_(127.5).sub_(1), V[i], k[i], kv[i], kk[i]
    flip = torch.rand(B, device=device) < .5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    valid = torch.where(flip[:, None, None], valid.flip(2), valid)
    q = torch.where(flip[:, None], q * sign, q)
    q[:, -128:] += torch.randn(B, 128, device=device) * torch.rand(B, 1, device=device) * .5
    everything = torch.rand(B, 1, device=device) < .1
    c = torch.where((torch.rand(B, 4, device=device) < .08) | everything, unknown, c)
    m = m * (((torch.rand(B, len(groups), device=device) < keep) & ~everything).float() @ groups)
    t = torch.sigmoid(.2 + 1.2 * torch.randn(B, device=device)).clamp(.004, .996)
    t_ = t[:, None, None, None]
    z = t_ * x + (1 - t_) * torch.randn_like(x)
    skip, gain, scaled = M.precond(t_)
    with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
        f = net(scaled * z, t, c, q, m)
    w = (oval * valid)[:, None]
    loss = ((f.float() - (x - skip * z) / gain).square() * w).sum() / (3 * w.sum())
    loss.backward()
    if world > 1:
        share_gradients()
    torch.nn.utils.clip_grad_norm_(P, 1.)
    for o in optimisers:
        o.step()
    net.zero_grad(set_to_none=True)
    n += 1
    with torch.no_grad():
        torch._foreach_lerp_(E, P, 1 - ((1 - 1 / n) ** 14 if n > 1 else 0.))
        total += loss.detach()
    if n % 100 == 0 or n <= 3:
        log(f"{time.time() - start:6.0f} s  step {n}  loss {total.item() / (n - last):.5f}  rate {lr:.3f}")
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
