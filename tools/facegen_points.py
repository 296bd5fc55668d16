#!/usr/bin/env python3
"""Mesh points of the aligned training faces, for tools/facegen_conditions.py.

  facegen_points.py --data DIR --out points.npz [--jobs 2]
DIR has faces-N.bin/.tsv. Written: "idx" (which of the 478 points) and "q" [faces, points, 2] int16, 1/64 px of the 144-px
picture, -30000 where no face is found (225 of 26,327; 4 minutes on two cores).  needs: mediapipe==0.10.14 opencv pillow numpy
"""
import argparse
import io
import multiprocessing
import os

import numpy as np
from PIL import Image

import dlib_net
import facegen_conditions as conditions

MARGIN = 28                                                  # the detector wants more round a face than the crop has
POINTS = sorted(set(dlib_net.EYES[0] + dlib_net.EYES[1] + dlib_net.MOUTH + conditions.CHEEKS + conditions.LOWER_FACE +
                    conditions.RIGHT + conditions.LEFT + [i for pair in conditions.COLUMNS for i in pair] +
                    [13, 14, 82, 87, 312, 317, 33, 263, 61, 291]))


def find(job):
    data, part, parts = job
    os.environ["GLOG_minloglevel"] = "3"
    import cv2
    import mediapipe
    cv2.setNumThreads(1)
    net = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True,
                                                 min_detection_confidence=.3)
    rows, blobs = conditions.rows_of(data)[part::parts], {}
    out = np.full((len(rows), len(POINTS), 2), -30000, np.int16)
    for i, r in enumerate(rows):
        if r["bin"] not in blobs:
            with open(r["bin"], "rb") as f:
                blobs[r["bin"]] = f.read()
        o = int(r["offset"])
        picture = np.asarray(Image.open(io.BytesIO(blobs[r["bin"]][o:o + int(r["length"])])).convert("RGB"))
        picture = cv2.copyMakeBorder(picture, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REFLECT_101)
        h, w = picture.shape[:2]
        faces = net.process(picture).multi_face_landmarks
        if faces:
            p = faces[0].landmark
            out[i] = np.round([((p[k].x * w - MARGIN) * 64, (p[k].y * h - MARGIN) * 64) for k in POINTS])
    return out


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--data", required=True)
    parse.add_argument("--out", required=True)
    parse.add_argument("--jobs", type=int, default=2)
    a = parse.parse_args()
    with multiprocessing.Pool(a.jobs) as pool:
        parts = pool.map(find, [(a.data, i, a.jobs) for i in range(a.jobs)], chunksize=1)
    q = np.empty((sum(map(len, parts)), len(POINTS), 2), np.int16)
    for i, part in enumerate(parts):
        q[i::a.jobs] = part
    np.savez_compressed(a.out, idx=np.array(POINTS), q=q)


if __name__ == "__main__":
    main()
