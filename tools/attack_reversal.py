#!/usr/bin/env python3
"""The reversal attack: a network trained to draw the person's face again from the stand-in's.

  attack_reversal.py --pairs pairs.npz --oracles DIR --dlib DIR [--part 0] [--parts 3] [--seconds 300] [--seed 1] [--out figures.json] [--sheet sheet.png]
A U-Net sees the result's face (tools/attack_pairs.py) and is trained to give the recording's: absolute difference and dlib's descriptor. Then, for persons it never
saw (one part of --parts): does dlib find the person behind the drawn-back face better than behind the stand-in itself? dlib is what it was trained to please, so this is an upper bound. Beside it
stands the same network taught with the pairs shuffled among persons: it learns faces, but has nothing to reverse.
--sheet: result, drawn back, recording, of eight persons of the test; for the eyes of whoever may see the recordings.
needs: numpy pillow torch
"""
import argparse
import json
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

import dlib_net
from attack_figures import figures, split

SIZE = 144         # of the 150 px: a multiple of 16


class UNet(nn.Module):
    def __init__(self, channels=(48, 96, 192, 256)):
        super().__init__()
        block = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(8, o), nn.SiLU(), nn.Conv2d(o, o, 3, padding=1), nn.GroupNorm(8, o), nn.SiLU())
        self.down = nn.ModuleList(block(i, o) for i, o in zip((3, *channels), channels))
        self.up = nn.ModuleList(block(i + o, o) for i, o in zip(channels[:0:-1], channels[-2::-1]))
        self.last = nn.Conv2d(channels[0], 3, 1)

    def forward(self, x):
        kept, y = [], x
        for i, b in enumerate(self.down):
            y = b(F.avg_pool2d(y, 2) if i else y)
            kept.append(y)
        for b, skip in zip(self.up, kept[-2::-1]):
            y = b(torch.cat([F.interpolate(y, scale_factor=2), skip], 1))
        return x + self.last(y)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "oracles", "dlib"):
        parse.add_argument("--" + name, required=True)
    parse.add_argument("--part", type=int, default=0, help="of the persons, that is tested")
    parse.add_argument("--parts", type=int, default=3)
    parse.add_argument("--seconds", type=float, default=300, help="of training, for each of the two networks")
    parse.add_argument("--batch", type=int, default=32)
    parse.add_argument("--seed", type=int, default=1)
    for name in ("out", "sheet"):
        parse.add_argument("--" + name)
    a = parse.parse_args()
    torch.manual_seed(a.seed)
    random = np.random.default_rng(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = np.load(a.pairs)
    faces, person = torch.from_numpy(data["faces"][:, :, 3:-3, 3:-3]).permute(0, 1, 4, 2, 3), data["person"]
    tested, learned = split(person, a.part, a.parts, random)
    test, train = np.flatnonzero(np.isin(person, tested)), np.flatnonzero(np.isin(person, learned))
    dlib = dlib_net.load(a.oracles, a.dlib, device)
    print(f"{len(learned)} persons to learn from, {len(tested)} to test, {device}")
    picture = lambda rows, side: faces[rows, side].to(device).float() / 127.5 - 1
    whole = lambda x: F.pad((x.clamp(-1, 1) + 1) * 127.5, (3, 3, 3, 3), value=128.).permute(0, 2, 3, 1)
    embed = lambda x: dlib.embed(whole(x))

    @torch.no_grad()
    def look(change):
        masked, recorded = [], []
        for i in range(0, len(test), 64):
            masked.append(embed(change(picture(test[i:i + 64], 1))))
            recorded.append(embed(picture(test[i:i + 64], 0)))
        return figures(torch.cat(masked).cpu().numpy(), torch.cat(recorded).cpu().numpy(), person[test])

    def learn(shuffled):
        net = UNet().to(device)
        optimiser = torch.optim.AdamW(net.parameters(), 3e-4, weight_decay=1e-2)
        target = random.permutation(train) if shuffled else train
        began, step = time.time(), 0
        while time.time() - began < a.seconds:
            k = random.integers(0, len(train), a.batch)
            x, y = picture(train[k], 1), picture(target[k], 0)
            if random.random() < .5:
                x, y = x.flip(3), y.flip(3)
            drawn = net(x)
            with torch.no_grad():
                who = embed(y)
            loss = F.l1_loss(drawn, y) + .5 * (embed(drawn) - who).norm(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            for group in optimiser.param_groups:
                group["lr"] = 3e-4 * max(.05, 1 - (time.time() - began) / a.seconds)
            step += 1
            if step % 100 == 0:
                print(f"{time.time() - began:4.0f} s, step {step}: loss {loss.item():.3f}", flush=True)
        return net.eval(), step

    result = dict(stand_in=look(lambda x: x))
    net, result["steps"] = learn(False)
    result["drawn_back"] = look(net)
    result["taught_shuffled"] = look(learn(True)[0])
    print(json.dumps(result, indent=1))
    if a.out:
        with open(a.out, "w") as f:
            json.dump(result, f, indent=1)
    if a.sheet:
        rows = [np.flatnonzero(person == i)[0] for i in tested[:8]]
        with torch.no_grad():
            x = torch.stack([picture(rows, 1), net(picture(rows, 1)), picture(rows, 0)], 1).clamp(-1, 1)
        x = ((x + 1) * 127.5).byte().permute(0, 3, 1, 4, 2).reshape(len(rows) * SIZE, 3 * SIZE, 3)
        Image.fromarray(x.cpu().numpy()).save(a.sheet)


if __name__ == "__main__":
    main()
