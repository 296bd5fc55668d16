#!/usr/bin/env python3
"""Accuracy of the attribute networks on FairFace's validation faces, per group, as the product runs them (mean of a face and its
mirror image, calibrated). Prints the tables of models/attributes-a.md and -b.md. Development time only.

  eval_attributes.py [--val ../shared/data/eval] [--weights models]       needs: mediapipe==0.10.14 opencv-python torch safetensors
"""
import argparse, io, json, os, sys
import numpy as np, torch
from PIL import Image
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import align_faces as al
import attributes_net as an
from safetensors.numpy import load_file

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('--val', default='../shared/data/eval'); ap.add_argument('--weights', default='models'); a = ap.parse_args()
    import mediapipe as mp
    torch.set_num_threads(1)
    fm = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=.4)
    crops, y, total = {'a': [], 'b': []}, [], 0
    for blob, age, gender, race in al.read_val(a.val):
        img = np.asarray(Image.open(io.BytesIO(blob)).convert('RGB')); h, w = img.shape[:2]; total += 1
        r = fm.process(img)
        if not r.multi_face_landmarks: continue
        P = np.array([[p.x * w, p.y * h, p.z * w] for p in r.multi_face_landmarks[0].landmark]); y.append((age, gender, race))
        for k, align, size in (('a', al.align_a, al.SIZE_A), ('b', al.align_b, al.SIZE_B)): crops[k].append(al.crop(img, *align(P), size))
    y = np.array(y); print(f'{len(y)} of {total} faces have a mesh')
    for k in 'ab':
        w = {n: torch.from_numpy(v.astype(np.float32)) for n, v in load_file(f'{a.weights}/attributes-{k}.safetensors').items()}
        t = json.load(open(f'{a.weights}/attributes-{k}.json'))['temperatures']; out = []
        for i in range(0, len(y), 100):
            x = an.normalise(np.stack(crops[k][i:i + 100]))
            with torch.no_grad(): out.append([(p + q) / 2 for p, q in zip(an.split(an.reference(k, w, x), t), an.split(an.reference(k, w, x.flip(3)), t))])
        p = [torch.cat([o[j] for o in out]).numpy() for j in range(3)]; top = np.stack([q.argmax(1) for q in p], 1)
        print(f'\n{k}: age {np.mean(top[:, 0] == y[:, 0]):.3f}, within one bin {np.mean(abs(top[:, 0] - y[:, 0]) <= 1):.3f}, gender {np.mean(top[:, 1] == y[:, 1]):.3f}, race {np.mean(top[:, 2] == y[:, 2]):.3f}')
        adult = y[:, 0] >= 2; print(f'   10 years and older: gender {np.mean((top[:, 1] == y[:, 1])[adult]):.3f}')
        for j, names in ((2, al.RACES), (1, al.GENDERS), (0, al.AGES)):
            for c, n in enumerate(names):
                m = y[:, j] == c; e = top[m] == y[m]
                print(f'| {n} | {m.sum()} | {e[:, 0].mean():.2f} | {np.mean(abs(top[m, 0] - y[m, 0]) <= 1):.2f} | {e[:, 1].mean():.2f} | {e[:, 2].mean():.2f} |')
        best = np.sort(p[2], 1)[:, -1]
        print('race, the surest half:', round(float((top[:, 2] == y[:, 2])[best >= np.median(best)].mean()), 3))
if __name__ == '__main__': main()
