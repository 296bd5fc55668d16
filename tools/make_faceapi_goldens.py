#!/usr/bin/env python3
"""Golden outputs of the face-api networks (descriptor, expression, age and gender) by the numpy reference (development time only).

  make_faceapi_goldens.py [--shared ../shared] [--models .deps/models] [--out tests/models/golden]

Input: the generator's golden portrait, sampled by the affine maps that the test uses too, so that only the networks differ.
"""
import argparse, os, sys
import numpy as np
from PIL import Image

def sample(img, size, m):
    """media/image.h mdm_image_sample: bilinear, edge-replicated; m maps output pixel centres to source pixel centres"""
    yy, xx = np.mgrid[:size, :size].astype(np.float64); h, w = img.shape[:2]
    sx = np.clip(m[0] * xx + m[1] * yy + m[2], 0, w - 1); sy = np.clip(m[3] * xx + m[4] * yy + m[5], 0, h - 1)
    x0 = np.minimum(sx.astype(int), w - 2); y0 = np.minimum(sy.astype(int), h - 2); fx = (sx - x0)[..., None]; fy = (sy - y0)[..., None]; f = img.astype(np.float64)
    return ((f[y0, x0] * (1 - fx) + f[y0, x0 + 1] * fx) * (1 - fy) + (f[y0 + 1, x0] * (1 - fx) + f[y0 + 1, x0 + 1] * fx) * fy).astype(np.float32)

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('--shared', default='../shared'); ap.add_argument('--models', default='.deps/models'); ap.add_argument('--out', default='tests/models/golden')
    a = ap.parse_args(); os.environ['FACE_API_MODELS'] = os.path.join(a.models, ''); sys.path.insert(0, a.shared + '/oracles')
    import npnn, facegen_model as M
    img = np.asarray(Image.open(f'{a.out}/facegen-portrait.png').convert('RGB')); ten = {}
    for k, m in (('a', [.8, 0, 4, 0, .8, 6]), ('b', [.66, .06, 18, -.06, .66, 24])):     # two crops; 150 and 112 px
        e = lambda s: [v * 150 / s if i % 3 < 2 else v for i, v in enumerate(m)]
        ten[f'descriptor.{k}'] = npnn.recog(sample(img, 150, m), npnn.fa('face_recognition_model')).astype(np.float32)
        ten[f'expression.{k}'] = npnn.expression(sample(img, 112, e(112)), npnn.fa('face_expression_model')).astype(np.float32)
        age, gender = npnn.agegender(sample(img, 112, e(112)), npnn.fa('age_gender_model')); ten[f'age_gender.{k}'] = np.array([age, *gender], np.float32)
        print(k, ten[f'descriptor.{k}'][:4], ten[f'expression.{k}'].round(3), ten[f'age_gender.{k}'])
    print('distance', np.linalg.norm(ten['descriptor.a'] - ten['descriptor.b']))
    M.st_write(f'{a.out}/faceapi-golden.safetensors', ten, {})
if __name__ == '__main__': main()
