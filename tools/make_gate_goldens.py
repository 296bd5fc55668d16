#!/usr/bin/env python3
"""Golden measures of the portrait gate, by numpy and OpenCV on MediaPipe's mesh (development time only).

  make_gate_goldens.py [--shared ../shared] [--out tests/face/golden] [--weights src/face/portrait_gate_colour.c]

Reads OUT/gate-*.png (drawn by our own generator) and writes OUT/gate-golden.safetensors: NAME.points [478,3] and
NAME.measures [11] in the order of mdm_portrait_measures. The weights of the glasses score are read out of the C file.
"""
import argparse, glob, json, math, os, re, struct, sys
import numpy as np, cv2

CHEEKS = [50, 280, 205, 425, 101, 330, 117, 346, 118, 347, 36, 266]
UNDER = [23, 253, 110, 339, 229, 449, 230, 450, 22, 252, 24, 254]
PAIRS = [(63, 54), (105, 103), (66, 67), (107, 109), (9, 10), (336, 338), (296, 297), (334, 332), (293, 284)]

def bilinear(a, p):
    h, w = a.shape[:2]; x = np.clip(p[..., 0], 0, w - 1.001); y = np.clip(p[..., 1], 0, h - 1.001)
    i, j = x.astype(int), y.astype(int); u, v = (x - i)[..., None], (y - j)[..., None]
    return (a[j, i] * (1 - u) + a[j, i + 1] * u) * (1 - v) + (a[j + 1, i] * (1 - u) + a[j + 1, i + 1] * u) * v

def log_picture(img, sigma): return np.log(cv2.GaussianBlur(img.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) + 8)
def opponent(c): return np.stack([c.mean(-1), c[..., 0] - c[..., 1], c[..., 1] - c[..., 2]], -1)

def fringe(c, P):
    skin = np.median(bilinear(c, P[CHEEKS, :2]), 0); bad = []
    for i in range(2 * len(PAIRS) - 1):
        a, b = PAIRS[i // 2], PAIRS[(i + 1) // 2]
        brow, top = (P[a[0], :2] + P[b[0], :2]) / 2, (P[a[1], :2] + P[b[1], :2]) / 2
        for u in (.15, .3, .45, .6, .75):
            l, p, q = bilinear(c, brow + (top - brow) * u) - skin; hi = max(l, 0)
            p = min(p + .5 * hi, 0) if p < 0 else p; q = min(q + .5 * hi, 0) if q < 0 else q
            bad.append(l < -.45 or l > 1 or math.hypot(p, q) > .28)
    return np.mean(bad)

def glasses(c, P, W, b):
    a, e = P[33, :2], P[263, :2] - P[33, :2]; n = np.array([-e[1], e[0]])
    u, v = -.35 + 1.7 * (np.arange(48) + .5) / 48, -.25 + .7 * (np.arange(20) + .5) / 20
    light = c[..., :1]; skin = np.median(bilinear(light, P[CHEEKS, :2]))
    g = bilinear(light, a + u[None, :, None] * e + v[:, None, None] * n)[..., 0] - skin; s = b
    dx, dy = np.abs(np.diff(g, axis=1, append=g[:, -1:])), np.abs(np.diff(g, axis=0, append=g[-1:]))
    for k, m in enumerate((np.minimum(dx, .5), np.minimum(dy, .5), np.clip(g, -1.5, 1))):
        cell = m.reshape(5, 4, 12, 4).mean((1, 3)); s += (W[k] * (cell + cell[:, ::-1])[:, :6]).sum() / 2
    return s, np.median(bilinear(light, P[UNDER, :2])) - skin

def measures(img, P, A, W, b):
    r = P[[33, 133, 159, 145], :2].mean(0); l = P[[263, 362, 386, 374], :2].mean(0); roll = math.atan2(l[1] - r[1], l[0] - r[0])
    c, s = math.cos(roll), math.sin(roll); Q = P[:468].copy(); Q[:, 0] = c * P[:468, 0] + s * P[:468, 1]; Q[:, 1] = -s * P[:468, 0] + c * P[:468, 1]
    d = lambda i, j, n=3: np.linalg.norm(Q[i, :n] - Q[j, :n]); x, v, fw = Q[263] - Q[33], Q[152] - Q[10], d(234, 454, 2)
    gap = np.mean([d(u, w) for u, w in zip(A.LIP_IN_UP[2:7], A.LIP_IN_LO[2:7])]) / d(78, 308)
    eye = min(np.mean([d(u, w, 2) for u, w in zip(E['up'][2:5], E['lo'][2:5])]) / d(E['outer'], E['inner'], 2) for E in A.EYE)
    lift = (Q[[61, 291], 1].mean() - Q[13, 1]) / d(61, 291)
    feat = list(A.BROWS) + list(A.LIP_IN) + list(A.LIP_OUT)
    for E in A.EYE: feat += E['up'] + E['lo'] + E['up2'] + [E['outer'], E['inner']]
    lum = log_picture(img, fw * .04).mean(-1); h, w = lum.shape
    at = lum[np.clip(np.rint(P[:468, 1]).astype(int), 0, h - 1), np.clip(np.rint(P[:468, 0]).astype(int), 0, w - 1)]
    m = Q[:, :2] * [-1, 1] + [2 * Q[168, 0], 0]; other = np.argmin(((Q[None, :, :2] - m[:, None]) ** 2).sum(2), 1)
    skin = np.min(np.linalg.norm(Q[:, None] - Q[None, feat], axis=2), 1) > .05 * fw
    op = opponent(log_picture(img, max(.6, fw * .008))); score, shade = glasses(op, P, W, b)
    return [1.058 * math.degrees(math.atan2(x[2], x[0])), .832 * math.degrees(math.atan2(v[2], v[1])) - 1.32, math.degrees(roll), fw, gap, eye, lift,
            math.sqrt(((at - at[other])[skin] ** 2).mean()), fringe(op, P), score, shade]

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('--shared', default='../shared'); ap.add_argument('--out', default='tests/face/golden'); ap.add_argument('--weights', default='src/face/portrait_gate_colour.c')
    a = ap.parse_args(); sys.path.insert(0, a.shared + '/oracles')
    import animate_reference as A, facegen_model as M, mediapipe as mp
    text = open(a.weights).read(); body = text[text.index('weights[3]'):]; body = body[body.index('= {'):body.index('};')]
    W = np.array([float(v) for v in re.findall(r'-?\d+\.\d+(?=f)', body)]).reshape(3, 5, 6); b = float(re.search(r'weight_constant = (-?[\d.]+)f', text).group(1))
    fm = mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=.4); ten = {}
    for f in sorted(glob.glob(f'{a.out}/gate-*.png')):
        img = cv2.imread(f)[:, :, ::-1].copy(); h, w = img.shape[:2]
        P = np.array([[p.x * w, p.y * h, p.z * w] for p in fm.process(img).multi_face_landmarks[0].landmark], np.float32)
        n = os.path.basename(f)[:-4]; ten[n + '.points'] = P; ten[n + '.measures'] = np.array(measures(img, P, A, W, b), np.float32); print(n, np.round(ten[n + '.measures'], 3))
    M.st_write(f'{a.out}/gate-golden.safetensors', ten, {})
if __name__ == '__main__': main()
