#!/usr/bin/env python3
"""Packs AI-made faces for train_facegen_upsample.py, at no more than the resolution they really have.

  facegen_upsample_pack.py --data DIR --out DIR [--sharp 0.14] [--dry]
DIR has packs/faces_aligned_144 (whose affines say where each face lies) and synthetic/. A face whose aligned side is
230 source pixels or more is resampled to 256; a smaller one is cut upright, without resampling, so it keeps its own
pixels. Only real pixels are written: a cut that leaves the picture is clipped. Pictures that were enlarged or blurred
before are dropped by the energy of their top octave relative to the octave below, near copies by their thumbnails.
Writes OUT/faces.bin (WebP one after another) and OUT/faces.tsv: offset, length, source, width and height, side (of the
whole aligned square, in pixels of this pack), natural (source pixels to one pixel at 256), x and y (of the cut in the
aligned square), affine a..f (pixel of the pack to pixel of the source), energy.   needs: numpy opencv-python pillow
"""

import argparse
import csv
import glob
import io
import math

import cv2
import numpy as np
from PIL import Image

parse = argparse.ArgumentParser()
parse.add_argument("--data", required=True)
parse.add_argument("--out", required=True)
parse.add_argument("--sharp", type=float, default=0.14)
parse.add_argument("--dry", action="store_true", help="only print the energies")
a = parse.parse_args()
cv2.setNumThreads(1)


def octaves(y):
    """Energy above a quarter cycle a pixel relative to that from an eighth to a quarter."""
    n = min(y.shape) // 2 * 2
    y = y[:n, :n].astype(np.float32)
    w = np.hanning(n)[:, None] * np.hanning(n)
    p = abs(np.fft.fft2((y - y.mean()) * w)) ** 2
    f = np.fft.fftfreq(n)
    r = np.hypot(f[:, None], f)
    return p[(r >= 0.25) & (r < 0.5)].sum() / p[(r >= 0.125) & (r < 0.25)].sum()


rows = []
for path in sorted(glob.glob(f"{a.data}/packs/faces_aligned_144/faces-*.tsv")):
    with open(path) as f:
        rows += [r for r in csv.DictReader(f, delimiter="\t") if r["domain"] == "1"]
rows.sort(key=lambda r: (not r["source"].startswith("faker"), r["source"]))
table, blob, thumbs, offset, drops = [], [], [], 0, {"small": 0, "soft": 0, "copy": 0}
for r in rows:
    image = cv2.imread(f"{a.data}/synthetic/{r['source']}")
    h, w = image.shape[:2]
    k = math.hypot(float(r["a"]), float(r["d"]))  # source px to one px of the 144-px crop
    natural = k * 144
    centre = [
        float(r["a"]) * 71.5 + float(r["b_"]) * 71.5 + float(r["c"]),
        float(r["d"]) * 71.5 + float(r["e"]) * 71.5 + float(r["f"]),
    ]
    step = natural / 256 if natural >= 230 else 1.0  # source px to one px of the pack
    side = int(round(natural / step))
    x0, y0 = [c - step * (side - 1) / 2 for c in centre]
    if step == 1:
        x0, y0 = round(x0), round(y0)
    left, top = max(0, math.ceil(-x0 / step)), max(0, math.ceil(-y0 / step))
    right, bottom = min(side, int((w - 1 - x0) / step) + 1), min(side, int((h - 1 - y0) / step) + 1)
    if min(right - left, bottom - top) < 136:
        drops["small"] += 1
        continue
    if step == 1:
        cut = image[y0 + top : y0 + bottom, x0 + left : x0 + right]
    else:
        scale = 1 / step  # a smoothed source first, when shrinking
        source = cv2.GaussianBlur(image, (0, 0), 0.45 * math.sqrt(step * step - 1)) if step > 1.1 else image
        m = np.array([[step, 0, x0 + left * step], [0, step, y0 + top * step]])
        cut = cv2.warpAffine(
            source,
            m,
            (right - left, bottom - top),
            flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)
    # the inner face: eyes to mouth, from the middle of the aligned square
    c = side // 2
    q = int(side * 0.3)
    inner = grey[max(0, c - q - top) : c + q - top, max(0, c - q - left) : c + q - left]
    energy = octaves(inner)
    if a.dry:
        print(r["source"], "%.1f" % natural, "%.4f" % energy, sep="\t")
        continue
    if energy < a.sharp:
        drops["soft"] += 1
        continue
    t = cv2.resize(inner, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    t = (t - t.mean()) / (np.linalg.norm(t - t.mean()) + 1e-6)
    if thumbs and (np.array(thumbs) @ t).max() > 0.985:
        drops["copy"] += 1
        continue
    thumbs.append(t)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(cut[:, :, ::-1])).save(out, "WEBP", quality=94, method=4)
    out = out.getvalue()
    table.append(
        [
            offset,
            len(out),
            r["source"],
            cut.shape[1],
            cut.shape[0],
            side,
            "%.4f" % (natural / 256),
            left,
            top,
            "%.5g" % step,
            0,
            "%.6g" % (x0 + left * step),
            0,
            "%.5g" % step,
            "%.6g" % (y0 + top * step),
            "%.4f" % energy,
        ]
    )
    blob.append(out)
    offset += len(out)
if not a.dry:
    with open(f"{a.out}/faces.bin", "wb") as f:
        f.write(b"".join(blob))
    with open(f"{a.out}/faces.tsv", "w") as f:
        f.write("\t".join("offset length source width height side natural x y a b c d e f energy".split()) + "\n")
        f.writelines("\t".join(map(str, t)) + "\n" for t in table)
    print(len(table), "faces,", sum(t[5] == 256 for t in table), "at 256 px,", offset / 1e6, "MB; dropped", drops)
