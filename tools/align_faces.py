#!/usr/bin/env python3
"""Face mesh and aligned crops for the attribute networks (models/attributes-a.md, -b.md).

The alignments are functions of the 478 MediaPipe mesh points in source pixels, so that C code can repeat them:
align_a() and align_b() give a similarity (output pixel -> source pixel), crop() samples it.

  align_faces.py mesh --packs DIR --val DIR --out DIR [--jobs 2]   finds the mesh of every face   (mediapipe 0.10.14)
  align_faces.py pack --packs DIR --val DIR --mesh DIR --out DIR   writes what tools/train_attributes.py reads
needs: mediapipe==0.10.14 opencv-python pillow numpy
"""
import argparse
import glob
import io
import math
import os

import numpy as np

# Class order of models/facegen.json; FairFace's own words for ages and races.
AGES = ["0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"]
GENDERS = ["F", "M"]
RACES = ["Black", "East Asian", "Indian", "Latino_Hispanic", "Middle Eastern", "Southeast Asian", "White"]

SIZE_A, SIZE_B = 112, 128
# MediaPipe's face oval, in order round the face.
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]


def align_a(points):
    """Eyes and mouth: side, centre (x, y) and roll of the square crop of network A.

    Eye centre = mean of 4 contour points, mouth centre = mean of 4; the eye line gives the roll; the side is the larger
    of 2.6 eye distances and 2.45 eye-to-mouth distances (one shrinks with yaw, the other with pitch)."""
    p = points[:, :2]
    right, left = p[[33, 133, 159, 145]].mean(0), p[[263, 362, 386, 374]].mean(0)
    mouth, eyes = p[[61, 291, 0, 17]].mean(0), (right + left) / 2
    d = left - right
    side = max(2.6 * math.hypot(*d), 2.45 * math.hypot(*(mouth - eyes)))
    centre = eyes + 0.42 * (mouth - eyes)
    return side, centre[0], centre[1], math.atan2(d[1], d[0])


def align_b(points):
    """Face oval: side, centre and roll of the square crop of network B.

    The line from forehead (10) to chin (152) is upright; the crop is the oval's bounding box in that frame, its longer
    side times 1.3, about the box's centre."""
    p = points[:, :2]
    d = p[152] - p[10]
    roll = math.atan2(-d[0], d[1])
    c, s = math.cos(roll), math.sin(roll)
    q = p[OVAL] @ np.array([[c, -s], [s, c]])          # into the upright frame: u = c x + s y, v = -s x + c y
    lo, hi = q.min(0), q.max(0)
    u, v = (lo + hi) / 2
    return 1.3 * max(hi - lo), c * u - s * v, s * u + c * v, roll


def affine(side, cx, cy, roll, size):
    """2x3 matrix from continuous output coordinates (pixel i spans i..i+1) to continuous source coordinates."""
    k = side / size
    c, s = k * math.cos(roll), k * math.sin(roll)
    h = size / 2
    return np.array([[c, -s, cx - c * h + s * h], [s, c, cy - s * h - c * h]])


def crop(image, side, cx, cy, roll, size):
    """Aligned crop [size, size, 3] uint8. Each output pixel is the mean of n x n bilinear samples, n = ceil(side/size)
    capped to 1..8, at the centres of its n x n sub-squares; samples outside the image take the nearest edge pixel."""
    h, w = image.shape[:2]
    m = affine(side, cx, cy, roll, size)
    n = min(8, max(1, math.ceil(side / size - 1e-6)))
    g = (np.arange(size * n) + 0.5) / n
    gx, gy = np.meshgrid(g, g)
    x = m[0, 0] * gx + m[0, 1] * gy + m[0, 2] - 0.5
    y = m[1, 0] * gx + m[1, 1] * gy + m[1, 2] - 0.5
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    x0, y0 = np.minimum(x.astype(int), w - 2), np.minimum(y.astype(int), h - 2)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    f = image.astype(np.float32)
    v = ((f[y0, x0] * (1 - fx) + f[y0, x0 + 1] * fx) * (1 - fy) + (f[y0 + 1, x0] * (1 - fx) + f[y0 + 1, x0 + 1] * fx) * fy)
    v = v.reshape(size, n, size, n, 3).mean((1, 3))
    return np.clip(np.rint(v), 0, 255).astype(np.uint8)


def read_tsv(path):
    with open(path) as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    return [dict(zip(rows[0], r)) for r in rows[1:]]


def read_pack(path):
    """[(webp bytes, age, gender, race)] of one shard, in file order."""
    with open(path, "rb") as f:
        blob = f.read()
    out = []
    for r in read_tsv(path[:-4] + ".tsv"):
        o, n = int(r["offset"]), int(r["length"])
        out.append((blob[o:o + n], AGES.index(r["age"]), GENDERS.index(r["gender"]), RACES.index(r["race"])))
    return out


def read_val(folder):
    """[(image bytes, age, gender, race)] of the evaluation faces."""
    out = []
    for r in read_tsv(os.path.join(folder, "fairface_val.tsv")):
        with open(os.path.join(folder, r["file"]), "rb") as f:
            out.append((f.read(), AGES.index(r["age"]), GENDERS.index(r["gender"][0]), RACES.index(r["race"])))
    return out


def decode(data):
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def mesh_worker(job, jobs, items, out):
    os.environ["GLOG_minloglevel"] = "3"
    import cv2
    import mediapipe as mp
    cv2.setNumThreads(1)
    nets = [mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True,
                                            min_detection_confidence=c) for c in (0.4, 0.15)]
    points = np.full((len(items), 478, 3), np.nan, np.float32)
    for i in range(job, len(items), jobs):
        image = decode(items[i][0])
        w = image.shape[1]
        big = cv2.resize(image, (224, 224), interpolation=cv2.INTER_CUBIC)
        # FairFace faces fill their frame: when the detector misses one, try again with a border, then less strictly.
        for pad, net in ((0, nets[0]), (56, nets[0]), (112, nets[0]), (56, nets[1])):
            padded = cv2.copyMakeBorder(big, pad, pad, pad, pad, cv2.BORDER_REPLICATE) if pad else big
            found = net.process(padded).multi_face_landmarks
            if found:
                side = 224 + 2 * pad
                p = np.array([[q.x * side - pad, q.y * side - pad, q.z * side] for q in found[0].landmark], np.float32)
                points[i] = p * (w / 224)
                break
        if i // jobs % 1000 == 0:
            print(out, i, int(np.isfinite(points[:, 0, 0]).sum()), flush=True)
    np.save(f"{out}.{job}.npy", points[job::jobs])


def mesh_all(items, out, jobs):
    import multiprocessing
    ps = [multiprocessing.Process(target=mesh_worker, args=(j, jobs, items, out)) for j in range(jobs)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    points = np.full((len(items), 478, 3), np.nan, np.float32)
    for j in range(jobs):
        points[j::jobs] = np.load(f"{out}.{j}.npy")
        os.remove(f"{out}.{j}.npy")
    np.save(out + ".npy", points)
    print(out, "faces", len(items), "meshed", int(np.isfinite(points[:, 0, 0]).sum()), flush=True)


def params(points):
    """[n, 8] f32: side, cx, cy, roll for A, then for B; NaN where there is no mesh."""
    out = np.full((len(points), 8), np.nan, np.float32)
    for i, p in enumerate(points):
        if np.isfinite(p[0, 0]):
            out[i] = align_a(p) + align_b(p)
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("command", choices=["mesh", "pack"])
    ap.add_argument("--packs", required=True, help="folder of fairface_train_128-*.bin and .tsv")
    ap.add_argument("--val", required=True, help="folder of fairface_val.tsv and fairface_val/")
    ap.add_argument("--mesh", help="folder the mesh command wrote")
    ap.add_argument("--out", required=True)
    ap.add_argument("--jobs", type=int, default=2)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    shards = sorted(glob.glob(os.path.join(a.packs, "fairface_train_128-*.bin")))
    if a.command == "mesh":
        mesh_all(read_val(a.val), os.path.join(a.out, "val"), a.jobs)
        for i, s in enumerate(shards):
            mesh_all(read_pack(s), os.path.join(a.out, f"train-{i}"), a.jobs)
        return
    from PIL import Image
    dropped = total = 0
    for i, s in enumerate(shards):
        par = params(np.load(os.path.join(a.mesh, f"train-{i}.npy")))
        items = read_pack(s)
        keep = [j for j in range(len(items)) if np.isfinite(par[j, 0]) and par[j, 0] > 30]
        total, dropped = total + len(items), dropped + len(items) - len(keep)
        write(a.out, f"train-{i}", [items[j][0] for j in keep], par[keep], [items[j][1:] for j in keep])
    print("train faces", total, "dropped", dropped)
    par = params(np.load(os.path.join(a.mesh, "val.npy")))
    items = read_val(a.val)
    keep = [j for j in range(len(items)) if np.isfinite(par[j, 0])]
    data = []
    for j in keep:
        image = decode(items[j][0])
        for k, size in ((0, SIZE_A), (4, SIZE_B)):
            b = io.BytesIO()
            Image.fromarray(crop(image, *par[j, k:k + 4], size)).save(b, "WEBP", quality=90, method=4)
            data.append(b.getvalue())
    write(a.out, "val", data, np.repeat(par[keep], 2, 0), np.repeat([items[j][1:] for j in keep], 2, 0))
    print("val faces", len(items), "without mesh", len(items) - len(keep))


def write(folder, name, blobs, par, labels):
    with open(os.path.join(folder, name + ".bin"), "wb") as f:
        f.write(b"".join(blobs))
    np.savez(os.path.join(folder, name + ".npz"), length=np.array([len(b) for b in blobs], np.uint16 if max(map(len, blobs)) < 65536 else np.uint32),
             params=par.astype(np.float32), labels=np.array(labels, np.uint8))


if __name__ == "__main__":
    main()
