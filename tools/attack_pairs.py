#!/usr/bin/env python3
"""Pairs of faces for tools/attack_informed.py and attack_reversal.py: what a recording showed and what the result shows in its place.

  attack_pairs.py --out pairs.npz [--each 6] [--workers N] JOB...
JOB is a job's folder that still has private/work (`mmdm run --keep-work`). Written: "faces" [n, 2, 150, 150, 3] uint8 (recording, result) in dlib's crop,
grey outside the face's oval less a tenth, so that neither hair nor background, which both sides share, links them; "person" [n], a number for each recording
and person in it, the same in every job; "frame" [n]. It holds real faces: keep it where the recordings are kept.
needs: numpy pillow; for videos ffmpeg and ffprobe
"""
import argparse
import concurrent.futures
import glob
import json
import math
import os
import subprocess

import numpy as np
from PIL import Image, ImageDraw

import align_faces
import dlib_net
import tensor_file

SIDE = 150
INSIDE = .9        # of the oval: the rim is blended with the recording's
SMALLEST = 40      # px, width of a face


def frames_of(path, numbers, width, height):
    """{number: [height, width, 3]}"""
    if path.lower().endswith((".png", ".jpg", ".jpeg", ".webp")):
        return {0: np.asarray(Image.open(path).convert("RGB"))} if 0 in numbers else {}
    choose = "+".join(f"eq(n\\,{n})" for n in numbers)
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", f"select={choose}", "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    return dict(zip(numbers, np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)))


def crop(picture, points):
    """dlib's crop (facegen_conditions.crops_of), grey outside the face"""
    a, b, mouth = (points[ids].mean(0) for ids in (*dlib_net.EYES, dlib_net.MOUTH))
    side = (np.hypot(*(mouth - a)) + np.hypot(*(mouth - b))) / 2 / .45
    roll = math.atan2(b[1] - a[1], b[0] - a[0])
    x, y = (a + b + mouth) / 3 + .07 * side * np.array([-math.sin(roll), math.cos(roll)]) + .5
    m = align_faces.affine(side, x, y, roll, SIDE)
    inverse = np.linalg.inv(np.vstack([m, [0, 0, 1]]))[:2]
    oval = (points[align_faces.OVAL] + .5) @ inverse[:, :2].T + inverse[:, 2]
    oval = oval.mean(0) + INSIDE * (oval - oval.mean(0))
    inside = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(inside).polygon([tuple(p) for p in oval], fill=255)
    return np.where(np.asarray(inside)[..., None] > 0, align_faces.crop(picture, side, x, y, roll, SIDE), 128).astype(np.uint8)


def pairs_of(work, each):
    """[((recording, person id), frame, recording's face, result's face)] of a clip that was delivered"""
    load = lambda name: json.load(open(os.path.join(work, name)))
    if not os.path.exists(os.path.join(work, "evidence.json")) or not load("evidence.json")["pass"]:
        return []
    clip, tracks, compose, plan = load("clip.json"), load("tracks.json"), load("compose.json"), load("plan.json")
    points = tensor_file.read(os.path.join(work, "geometry.safetensors"))
    wanted = []
    for t, c in zip(tracks["tracks"], compose["tracks"]):
        person = next((p["id"] for p in plan["persons"] if t["id"] in p["tracks"]), None)
        valid = points[f"t{t['id']}.valid"]
        good = [i for i, s in enumerate(c["state"]) if s == "replaced" and valid[i] and t["boxes"][i][2] >= SMALLEST]
        for i in (good[k] for k in np.unique(np.linspace(0, len(good) - 1, each).round().astype(int)) if good):
            wanted.append((person, t["first"] + i, points[f"t{t['id']}.points"][i, :, :2]))
    numbers = sorted({n for _, n, _ in wanted})
    if not numbers:
        return []
    size = clip["video"]["width"], clip["video"]["height"]
    before, after = frames_of(clip["source"]["path"], numbers, *size), frames_of(os.path.join(work, compose["output"]), numbers, *size)
    return [((clip["source"]["path"], p), n, crop(before[n], q), crop(after[n], q)) for p, n, q in wanted if n in before and n in after and before[n].shape == after[n].shape]


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("jobs", nargs="+", metavar="JOB")
    parse.add_argument("--out", required=True)
    parse.add_argument("--each", type=int, default=6, help="frames of a track")
    parse.add_argument("--workers", type=int, default=os.cpu_count())
    a = parse.parse_args()
    faces, person, frame, ids = [], [], [], {}
    works = [work for job in a.jobs for work in sorted(glob.glob(os.path.join(job, "private/work/clip-*")))]
    with concurrent.futures.ProcessPoolExecutor(a.workers) as pool:
        for found in pool.map(pairs_of, works, [a.each] * len(works)):
            for p, n, before, after in found:
                faces.append(np.stack([before, after]))
                person.append(ids.setdefault(p, len(ids)))
                frame.append(n)
    np.savez_compressed(a.out, faces=np.stack(faces), person=np.array(person), frame=np.array(frame))
    print(f"{a.out}: {len(faces)} pairs of {len(ids)} persons")


if __name__ == "__main__":
    main()
