#!/usr/bin/env python3
"""The informed attacker: a recogniser trained on this project's own output to find the person behind a stand-in.

  attack_informed.py --pairs pairs.npz --oracles DIR --dlib DIR [--part 0] [--parts 3] [--seconds 300] [--seed 1] [--out figures.json]
--pairs: tools/attack_pairs.py; --oracles: ../shared/oracles; --dlib: .deps/models. Two copies of dlib's network, one for results and one for recordings,
are trained until the two faces of a pair lie closer to each other than to anybody else's (InfoNCE). Persons of the test, one part
of --parts, are never seen in training; run once for each part, everybody is tested. Asked are, of
every result, the nearest recording of all test persons (rank 1) and the true-match rate at fixed false-accept rates; both for the very frame that was masked
("same frame": light, pose and expression, which are kept, are clues too) and for a frame that was mirrored and lit anew ("other light").
needs: numpy torch
"""
import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F

import dlib_net
from attack_figures import figures, split


def relit(x, mirror=True):
    """[n, 150, 150, 3] 0..255: mirrored at random, gain of each channel, a slope of light, softness, a shift of some pixels"""
    n = len(x)
    at = lambda low, high: torch.rand(n, 1, 1, 1, device=x.device) * (high - low) + low
    if mirror:
        x = torch.where(torch.rand(n, 1, 1, 1, device=x.device) < .5, x.flip(2), x)
    line = torch.linspace(-1, 1, x.shape[1], device=x.device)
    slope = at(-.4, .4) * line[None, :, None, None] + at(-.4, .4) * line[None, None, :, None]
    gain = torch.exp(at(-.3, .3) + .08 * torch.randn(n, 1, 1, 3, device=x.device) + slope)
    grey = (x == 128).all(-1, keepdim=True)
    x = torch.where(grey, x, (x * gain).clamp(0, 255))
    angle, size = at(-.12, .12)[:, 0, 0], at(.94, 1.06)[:, 0, 0]
    move = torch.stack([torch.cat([size * angle.cos(), -size * angle.sin(), at(-.05, .05)[:, 0, 0]], 1),
                        torch.cat([size * angle.sin(), size * angle.cos(), at(-.05, .05)[:, 0, 0]], 1)], 1)
    grid = F.affine_grid(move, [n, 3, x.shape[1], x.shape[2]], align_corners=False)
    return F.grid_sample(x.permute(0, 3, 1, 2), grid, align_corners=False, padding_mode="border").permute(0, 2, 3, 1)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "oracles", "dlib"):
        parse.add_argument("--" + name, required=True)
    parse.add_argument("--part", type=int, default=0, help="of the persons, that is tested")
    parse.add_argument("--parts", type=int, default=3)
    parse.add_argument("--seconds", type=float, default=300)
    parse.add_argument("--batch", type=int, default=64)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--out")
    a = parse.parse_args()
    torch.manual_seed(a.seed)
    random = np.random.default_rng(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = np.load(a.pairs)
    faces, person = torch.from_numpy(data["faces"]), data["person"]
    tested, others = split(person, a.part, a.parts, random)
    valid, learned = np.split(others, [max(2, len(others) // 8)])
    print(f"{len(learned)} persons to learn from, {len(valid)} to stop by, {len(tested)} to test, {device}")
    net = {side: dlib_net.load(a.oracles, a.dlib, device) for side in ("recorded", "masked")}
    start = {side: {k: v.clone() for k, v in net[side].w.items()} for side in net}

    @torch.no_grad()
    def embed(side, rows, change=None):
        out = []
        for i in range(0, len(rows), 128):
            x = faces[rows[i:i + 128], int(side == "masked")].to(device).float()
            out.append(net[side].embed(change(x) if change else x))
        return F.normalize(torch.cat(out), dim=1).cpu().numpy()

    def look(ids, change=None):
        rows = np.flatnonzero(np.isin(person, ids))
        return figures(embed("masked", rows), embed("recorded", rows, change), person[rows])

    def control(ids):
        """what the distortion alone costs: recordings against the same recordings in other light"""
        rows = np.flatnonzero(np.isin(person, ids))
        return figures(embed("recorded", rows), embed("recorded", rows, relit), person[rows])

    result = dict(control=control(tested), as_published=dict(same_frame=look(tested), other_light=look(tested, relit)))
    parameters = [w.requires_grad_() for n in net.values() for w in n.w.values()]
    scale = torch.tensor(2.5, device=device, requires_grad=True)
    optimiser = torch.optim.AdamW([dict(params=parameters, lr=1e-4), dict(params=[scale], lr=1e-3)], weight_decay=1e-3)
    rows_of = {i: np.flatnonzero(person == i) for i in learned}
    best, kept, began, step, losses = look(valid, relit)["auc"], start, time.time(), 0, []
    while time.time() - began < a.seconds:
        chosen = random.choice(learned, min(a.batch, len(learned)), replace=False)
        rows = [random.choice(rows_of[i], 2) for i in chosen]
        x = relit(faces[[r[0] for r in rows], 0].to(device).float())
        y = relit(faces[[r[1] for r in rows], 1].to(device).float())
        u, v = F.normalize(net["recorded"].embed(x), dim=1), F.normalize(net["masked"].embed(y), dim=1)
        logits = scale.exp() * v @ u.T
        right = torch.arange(len(rows), device=device)
        loss = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            seen = look(valid, relit)["auc"]
            print(f"{time.time() - began:4.0f} s, step {step}: loss {loss.item():.3f}, others' AUC {seen:.3f}", flush=True)
            if seen > best:
                best, kept = seen, {side: {k: w.detach().clone() for k, w in net[side].w.items()} for side in net}
    for side in net:
        net[side].w = kept[side]
    # a network that has learned nothing guesses: its loss is the logarithm of the batch, and its figures say nothing about the stand-ins
    result.update(steps=step, loss=round(float(np.mean(losses[-50:])), 3), loss_of_guessing=round(float(np.log(min(a.batch, len(learned)))), 3), best_auc_of_validation=best, trained=dict(same_frame=look(tested), other_light=look(tested, relit)))
    print(json.dumps(result, indent=1))
    if a.out:
        with open(a.out, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
