"""What the face generator is told about each training face beyond the columns of the aligned pack: smile, teeth, light from
the side, hair over the forehead, glasses, beard (facegen_net.MORE), and who it is (dlib's descriptor, never written to disk).

  faces = load(ORACLES, DATA, POINTS, DLIB, GATE, size=128, device="cuda")
DATA has faces-N.bin/.tsv; POINTS is an .npz with "idx" (which mesh points) and "q" [faces, points, 2] int16 in 1/64 px of the
144-px picture, -30000 where the mesh network found no face; DLIB is the folder of face_recognition_model*.
"""
import csv
import glob
import io
import json
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import dlib_net

SIDE = 144
CHEEKS = [50, 280, 205, 425, 101, 330, 117, 346, 118, 347, 36, 266]
COLUMNS = [(63, 54), (105, 103), (66, 67), (107, 109), (9, 10), (336, 338), (296, 297), (334, 332), (293, 284)]
UP = [.15, .3, .45, .6, .75]
LOWER_FACE = [164, 167, 393, 165, 391, 200, 199, 175, 171, 396, 140, 369]
RIGHT, LEFT = [50, 205, 101, 117, 118, 36, 187, 123, 207], [280, 425, 330, 346, 347, 266, 411, 352, 427]


def rows_of(data):
    rows = []
    for path in sorted(glob.glob(f"{data}/faces-*.tsv")):
        with open(path) as f:
            rows += [dict(r, bin=path[:-4] + ".bin") for r in csv.DictReader(f, delimiter="\t")]
    return rows


def decode(job):
    """Pictures at 144 px and which pixels at `size` are real rather than mirrored."""
    path, rows, size = job
    with open(path, "rb") as f:
        blob = f.read()
    g = (np.arange(size) + .5) * (SIDE / size) - .5
    xx, yy = np.meshgrid(g, g)
    pictures, valid = np.empty((len(rows), SIDE, SIDE, 3), np.uint8), np.empty((len(rows), size, size), bool)
    for i, r in enumerate(rows):
        o, n = int(r["offset"]), int(r["length"])
        pictures[i] = np.asarray(Image.open(io.BytesIO(blob[o:o + n])).convert("RGB"))
        a, b, c, d, e, f = (float(r[k]) for k in ("a", "b_", "c", "d", "e", "f"))
        sx, sy = a * xx + b * yy + c, d * xx + e * yy + f
        valid[i] = (sx > 0) & (sy > 0) & (sx < float(r["w"]) - 1) & (sy < float(r["h"]) - 1)
    return pictures, valid


def blur(x, sigma):
    r = int(3 * sigma + .5)
    k = torch.exp(-torch.arange(-r, r + 1, device=x.device).float() ** 2 / (2 * sigma * sigma))
    k, c = (k / k.sum())[None, None], x.shape[1]
    x = F.conv2d(F.pad(x, (r, r, r, r), mode="replicate"), k[..., None].expand(c, 1, -1, 1), groups=c)
    return F.conv2d(x, k[:, :, None].expand(c, 1, 1, -1), groups=c)


def at(picture, points):
    """picture [n, 3, h, w], points [n, p, 2] px -> [n, p, 3]"""
    g = (points + .5) / picture.shape[-1] * 2 - 1
    return F.grid_sample(picture, g[:, :, None], align_corners=False, padding_mode="border")[..., 0].permute(0, 2, 1)


def crops_of(picture, eyes, mouth):
    """dlib's crop of a batch, as face-api makes it: picture [n, 3, h, w]; right eye, left eye [n, 2, 2] and mouth [n, 2]"""
    a, b = eyes[:, 0], eyes[:, 1]
    side = ((mouth - a).norm(dim=1) + (mouth - b).norm(dim=1)) / 2 / .45
    angle = torch.atan2(b[:, 1] - a[:, 1], b[:, 0] - a[:, 0])
    k, co, si = (side / 150)[:, None, None], torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    u = torch.arange(150, device=picture.device).float()
    y, x = torch.meshgrid(u - (.43 * 150 - .5), u - (.5 * 150 - .5), indexing="ij")
    centre = ((a + b + mouth) / 3)[:, None, None]
    grid = torch.stack([k * (co * x - si * y), k * (si * x + co * y)], -1) + centre
    return F.grid_sample(picture, (grid + .5) / picture.shape[-1] * 2 - 1, align_corners=False, padding_mode="border")


def glasses_weights(gate):
    """The linear score's weights, read from src/face/portrait_gate_colour.c."""
    import re
    text = open(gate).read()
    table = text[text.index("weights[3]"):text.index("weight_constant")]
    w = np.array([float(v) for v in re.findall(r"(-?\d+\.\d+)f", table)], np.float32).reshape(3, 5, 6)
    return w, float(re.search(r"weight_constant = (-?[\d.]+)f", text).group(1))


def measure(picture, p, index, weights):
    """picture [n, 3, 144, 144] 0..255, p [n, points, 2] -> the six numbers [n, 6] (nan where they cannot be told)"""
    get = lambda ids: p[:, [index[i] for i in ids]]
    luma = lambda c: c.mean(-1)
    soft = torch.log(blur(picture, 4.7) + 8)
    fine = torch.log(blur(picture, .94) + 8)
    skin = at(fine, get(CHEEKS)).median(1).values                        # [n, 3]
    m = get([61, 291, 13, 14])
    width = (m[:, 0] - m[:, 1]).norm(dim=1).clamp(min=1)
    smile = ((m[:, 0, 1] + m[:, 1, 1]) / 2 - m[:, 2, 1]) / width
    gap = (m[:, 2] - m[:, 3]).norm(dim=1) / width
    inner = luma(at(fine, (get([13, 82, 312]) + get([14, 87, 317])) / 2)).mean(1)
    teeth = torch.where(gap > .06, (inner - luma(skin)).clamp(-2, 1), torch.full_like(inner, float("nan")))
    side = luma(at(soft, get(RIGHT))).mean(1) - luma(at(soft, get(LEFT))).mean(1)
    spots = []
    for i in range(len(COLUMNS) - 1):
        for q in (0., .5) if i < len(COLUMNS) - 2 else (0., .5, 1.):
            ends = [get([COLUMNS[i][k]])[:, 0] * (1 - q) + get([COLUMNS[i + 1][k]])[:, 0] * q for k in (0, 1)]
            spots += [ends[0] + (ends[1] - ends[0]) * u for u in UP]
    spots = torch.stack(spots, 1)
    v = at(fine, spots)
    opponent = lambda c: torch.stack([c.mean(-1), c[..., 0] - c[..., 1], c[..., 1] - c[..., 2]], -1)
    d = opponent(v) - opponent(skin)[:, None]
    light, shine = d[..., 0], d[..., 0].clamp(min=0)[..., None]
    tint = torch.where(d[..., 1:] < 0, (d[..., 1:] + .5 * shine).clamp(max=0), d[..., 1:])
    fringe = ((light < -.45) | (light > 1) | (tint.norm(dim=-1) > .28)).float().mean(1)
    outer = get([33, 263])
    ux = outer[:, 1] - outer[:, 0]
    uy = torch.stack([-ux[:, 1], ux[:, 0]], 1)
    u = -.35 + 1.7 * (torch.arange(48, device=p.device) + .5) / 48
    w = -.25 + .7 * (torch.arange(20, device=p.device) + .5) / 20
    strip = outer[:, 0][:, None, None] + u[None, None, :, None] * ux[:, None, None] + w[None, :, None, None] * uy[:, None, None]
    g = luma(at(fine, strip.flatten(1, 2))).view(-1, 20, 48) - luma(skin)[:, None, None]
    dx = (g.diff(dim=2, append=g[:, :, -1:])).abs().clamp(max=.5)
    dy = (g.diff(dim=1, append=g[:, -1:])).abs().clamp(max=.5)
    cells = torch.stack([c.view(-1, 5, 4, 12, 4).mean((2, 4)) for c in (dx, dy, g.clamp(-1.5, 1))], 1)
    cells = (cells + cells.flip(3))[..., :6] / 2
    glasses = (cells * torch.from_numpy(weights[0]).to(p.device)).sum((1, 2, 3)) + weights[1]
    beard = luma(at(fine, get(LOWER_FACE))).mean(1) - luma(skin)
    return torch.stack([smile, teeth, side, fringe, glasses.clamp(-6, 6), beard], 1), spots


def load(oracles, data, points, dlib, gate, size, device, workers=14, limit=0):
    """rows, pictures uint8 [n, 3, size, size], valid bool [n, size, size], more float [n, 6], identity float [n, 128] (nan: none),
    marks float [n, 3, 2]: where the right eye, the left eye and the mouth are, of the picture's side (nan: not known); and the
    AI-made ones among the pictures as they are stored, uint8 [m, 3, 144, 144]"""
    rows = rows_of(data)
    z = np.load(points)
    index, q = {int(i): k for k, i in enumerate(z["idx"])}, z["q"]
    if limit:
        keep = np.linspace(0, len(rows) - 1, limit).astype(int)
        rows, q = [rows[i] for i in keep], q[keep]
    by = {}
    for r in rows:
        by.setdefault(r["bin"], []).append(r)
    jobs = [(path, rs[i:i + 400], size) for path, rs in by.items() for i in range(0, len(rs), 400)]
    rows = [r for j in jobs for r in j[1]]
    with ProcessPoolExecutor(workers) as ex:
        out = list(ex.map(decode, jobs))
    raw, valid = np.concatenate([o[0] for o in out]), np.concatenate([o[1] for o in out])
    p = torch.from_numpy(q.astype(np.float32) / 64)
    lost = torch.from_numpy(q[:, 0, 0] == -30000)
    net = dlib_net.load(oracles, dlib, device)
    weights = glasses_weights(gate)
    pictures, more, identity, marks = [], [], [], []
    step = 512 if device != "cpu" else 64
    pick = lambda ids, b: b[:, [index[i] for i in ids]].mean(1)
    for i in range(0, len(rows), step):
        x = torch.from_numpy(raw[i:i + step]).to(device).permute(0, 3, 1, 2).float()
        b = p[i:i + step].to(device)
        m, spots = measure(x, b, index, weights)
        c = ((spots + .5) * size / SIDE).long().clamp(0, size - 1)
        v = torch.from_numpy(valid[i:i + step]).to(device)
        seen = v[torch.arange(len(x), device=device)[:, None], c[..., 1], c[..., 0]].float().mean(1)
        m[:, 3] = torch.where(seen > .9, m[:, 3], torch.full_like(seen, float("nan")))
        three = torch.stack([pick(dlib_net.EYES[0], b), pick(dlib_net.EYES[1], b), pick(dlib_net.MOUTH, b)], 1)
        crop = crops_of(x, three[:, :2], three[:, 2])
        e = torch.from_numpy(net(crop.permute(0, 2, 3, 1).round().clamp(0, 255).byte().cpu().numpy()))
        bad = lost[i:i + step]
        m, three = m.cpu(), ((three + .5) / SIDE).cpu()
        m[bad], e[bad], three[bad] = float("nan"), float("nan"), float("nan")
        marks.append(three)
        more.append(m)
        identity.append(e)
        pictures.append(F.interpolate(x, size=(size, size), mode="bicubic", antialias=True, align_corners=False)
                        .round().clamp(0, 255).byte().cpu())
    return rows, torch.cat(pictures), torch.from_numpy(valid), torch.cat(more), torch.cat(identity), torch.cat(marks), \
        torch.from_numpy(raw[[r["domain"] == "1" for r in rows]]).permute(0, 3, 1, 2).contiguous()
