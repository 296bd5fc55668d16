#!/usr/bin/env python3
"""Golden logits of the attribute networks, by their plain reference (development time only).

  make_attributes_goldens.py [--weights models] [--faces tests/face/golden] [--out tests/models/golden]

Input: the pictures and mesh points of the portrait gate's goldens (tools/make_gate_goldens.py).
"""
import argparse, os, sys
import numpy as np, torch
from PIL import Image
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import align_faces as al
import attributes_net as an
from safetensors.numpy import load_file, save_file

ap = argparse.ArgumentParser(); ap.add_argument('--weights', default='models'); ap.add_argument('--faces', default='tests/face/golden'); ap.add_argument('--out', default='tests/models/golden')
a = ap.parse_args(); gate = load_file(f'{a.faces}/gate-golden.safetensors'); out = {}
for which, align, size in (('a', al.align_a, al.SIZE_A), ('b', al.align_b, al.SIZE_B)):
    w = {k: torch.from_numpy(v.astype(np.float32)) for k, v in load_file(f'{a.weights}/attributes-{which}.safetensors').items()}
    for name in ('gate-good-a', 'gate-good-b', 'gate-glasses'):
        img = np.asarray(Image.open(f'{a.faces}/{name}.png').convert('RGB'))
        for scale in (1, 3):        # as it is, and enlarged: several samples a pixel
            big = np.repeat(np.repeat(img, scale, 0), scale, 1); P = (gate[name + '.points'] + .5) * scale - .5
            x = an.normalise(al.crop(big, *align(P.astype(np.float64)), size)[None])
            with torch.no_grad(): out[f'{which}.{name}.{scale}'] = an.reference(which, w, x)[0].numpy()
            print(which, name, scale, [int(p.argmax()) for p in np.split(out[f'{which}.{name}.{scale}'], [9, 11])])
save_file(out, f'{a.out}/attributes-golden.safetensors')
