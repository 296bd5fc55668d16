#!/usr/bin/env python3
"""Golden vectors of the animation's geometry and light, by numpy and SciPy (development time only).

  make_face_goldens.py [--shared ../shared] [--models .deps/models] [--out tests/face/golden/motion-golden.safetensors]

The face is nobody's: the canonical mesh, bent by smooth waves, with a talking mouth, a blink, wandering irises, a turning head
and noise. The reference is SHARED/oracles/animate_reference.py.
"""
import argparse, os, sys
import numpy as np
from safetensors.numpy import save_file

FRAMES = 16

def bent(V, rng, amount):
    """the mesh under a few random low waves: another face"""
    out = V.copy()
    for _ in range(4):
        k, phase, way = rng.normal(0, .16, 3), rng.uniform(0, 6.28), rng.normal(0, amount, 3)
        out += np.sin(V @ k + phase)[:, None] * way
    return out

def rotation(yaw, pitch, roll):
    a, b, c = np.radians([yaw, pitch, roll])
    Y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    P = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    R = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return R @ Y @ P

def scene(A, V, rng):
    """-> points [FRAMES,478,3] in the image"""
    face = bent(V, rng, .25); out = np.zeros((FRAMES, 478, 3))
    for f in range(FRAMES):
        X = face.copy(); t = f / 25
        jaw = .6 * max(0, np.sin(9 * t)); lower = np.clip((X[:, 1] - X[13, 1]) / 3, 0, 1); X[:, 1] += jaw * lower
        for u, l in zip(A.LIP_IN_UP, A.LIP_IN_LO): X[l, 1] = X[u, 1] + .04 + .8 * jaw
        close = {7: .85, 8: .9, 9: .4}.get(f, 0)
        for E in A.EYE:
            for u, l, w in zip(E['up'], E['lo'], E['up2']): d = close * (X[l] - X[u]); X[u] += d; X[w] += .5 * d
        iris = []
        for E in A.EYE:
            c = .5 * (X[E['outer']] + X[E['inner']]) + [.35 * np.sin(6 * t), .1 * np.cos(5 * t), -.1]
            iris += [c] + [c + .55 * np.array([np.cos(q), np.sin(q), 0]) for q in np.arange(4) * np.pi / 2]
        X = np.vstack([X, iris]) + rng.normal(0, .02, (478, 3))
        s, R = 11 + np.sin(3 * t), rotation(12 * np.sin(4 * t), 6 * np.cos(3 * t), 4 * np.sin(2 * t))
        out[f] = s * X @ R.T + [210 + 30 * t, 160 - 20 * t, 0]
    return out.astype(np.float32)

SHARE = .22  # of the way from the upper to the lower lip

def rest_of(X):
    """resting expression of a shape: lift of the mouth's corners, its width, inner and outer brows over the eyes, eyes"""
    up = lambda *ids: -np.mean([X[i, 1] for i in ids]); d = lambda a, b: np.linalg.norm(X[a] - X[b]); line = up(33, 133, 362, 263)
    eyes = [([160, 159, 158], [144, 145, 153], 33, 133), ([387, 386, 385], [373, 374, 380], 263, 362)]
    return np.array([up(61, 291) + (1 - SHARE) * X[13, 1] + SHARE * X[14, 1], d(61, 291), up(55, 107, 285, 336) - line, up(63, 105, 293, 334) - line,
                     np.mean([np.mean([d(a, b) for a, b in zip(u, l)]) / d(o, i) for u, l, o, i in eyes])])

def rest_fields(V, skin):
    """-> moves [4,468,3] cm and shade [4,468] log for 1 cm of each of the first four"""
    x, y, side = np.abs(V[:, 0]), V[:, 1], np.where(V[:, 0] < 0, -1., 1.); M, S = np.zeros((4, 468, 3)), np.zeros((4, 468))
    def bump(x, y, at, aside, above, below): return np.exp(-.5 * (((x - at[0]) / aside) ** 2 + ((y - at[1]) / np.where(y < at[1], above, below)) ** 2))
    corner = (2.46, 4.34); lift = bump(x, y, corner, np.where(x < corner[0], .8, 1.1), 1.1, 1.1); cheek = bump(x, y, (3.6, 1.6), 1.3, 1.1, 1.3)
    M[0, :, 1] = -lift - .15 * cheek + .25 * bump(x, y, (0, 3.55), 1.2, .4, .3) - .3 * bump(x, y, (0, 5.25), 1.2, .3, .4); M[0, :, 2] = .25 * lift - .17 * cheek
    S[0] = .1 * skin * cheek - .5 * bump(x, y, (2.2, 2.7), .9, .75, .75)
    across = np.where(x < corner[0], x / corner[0], np.exp(-.5 * ((x - corner[0]) / 1.1) ** 2)); stretch = across * np.exp(-.5 * ((y - corner[1]) / 1.2) ** 2)
    M[1, :, 0] = side * stretch; M[1, :, 2] = .3 * stretch * across
    M[2, :, 1] = -bump(x, y, (1.35, -4.6), 1., 1.3, .75); S[2] = -.1 * skin * bump(x, y, (0, -6.5), 2., .9, .9); M[3, :, 1] = -bump(x, y, (4.3, -5.), 1.3, 1.3, .8)
    for k in range(4): M[k] *= .1 / (rest_of(V + .1 * M[k])[k] - rest_of(V)[k])
    return M, S

LIP_RINGS = ((.95, [62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96]),
             (.9, [76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77]), (.8, 'outer'))

def transfer(A, m, i, standin, border, cal=None):
    """the reference's, but lips go as a whole with their inner edge: before the head's turn and the border, which come last"""
    N, now = m.N[:468], m.X[i][:468]
    X = A.transfer(m, i, standin, border, anchor=0., cal=dict(cal, R=None) if cal else None)
    near = np.clip(1 - (np.linalg.norm(N[:, :2] - N[[13, 14]].mean(0)[:2], axis=1) - 2) / 3, 0, 1)
    extent = lambda a, b, low, high: np.clip(np.linalg.norm(standin.X[a] - standin.X[b]) / np.linalg.norm(N[a] - N[b]), low, high)
    mouth, face = extent(61, 291, .7, 1.4), extent(10, 152, .8, 1.25)
    step = X - (standin.X + (face + (mouth - face) * near)[:, None] * (now - N))
    for share, ring in LIP_RINGS:
        for inner, at in zip(A.LIP_IN, A.LIP_OUT if ring == 'outer' else ring):
            if inner not in (78, 308): X[at] += share * step[inner]
    if cal: c = X[A.RIGID].mean(0); X = (X - c) @ cal['R'].T + c
    return X * (1 - border[:, None]) + now * border[:, None]

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--shared', default='../shared'); p.add_argument('--models', default='.deps/models'); p.add_argument('--out', default='tests/face/golden/motion-golden.safetensors')
    o = p.parse_args(); sys.path.insert(0, os.path.join(o.shared, 'oracles')); import animate_reference as A
    V, T = A.load_canonical(os.path.join(o.models, 'canonical-face-model.obj')); rng = np.random.default_rng(7)
    L = scene(A, V.astype(np.float64), rng); raw = [A.fit_pose(l, V) for l in L]; m = A.Motion(L, V, 25.)
    standin = bent(V.astype(np.float64), rng, .3).astype(np.float32)
    class S: X = standin
    at = [2, 8, 12]; plain = [transfer(A, m, i, S, A.oval_weights(V)) for i in at]
    turn = np.array([.05, -.08, .03]); a = np.linalg.norm(turn); k = turn / a; K = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    R = np.eye(3) + np.sin(a) * K + (1 - np.cos(a)) * K @ K; cal = dict(eye=1.3, gap=1.2, R=R)
    corrected = [transfer(A, m, i, S, A.oval_weights(V), cal) for i in at]
    V64 = V.astype(np.float64); moves, shade = rest_fields(V64, A.skin_weights(V)); rest = np.array([.3, .2, -.1, .25])
    class Rested: X = (standin + np.tensordot(rest, moves, 1)).astype(np.float32)
    rested = [transfer(A, m, i, Rested, A.oval_weights(V)) for i in at]
    # light: a known low-order light on skin with freckles, and outliers that the fit must not follow
    B = A.light_basis('poly', V, None); truth = rng.normal(0, .3, (6, 3)); colour = B @ truth + rng.normal(0, .03, (468, 3)); colour[rng.choice(468, 40, False)] -= 1.2
    weight = A.skin_weights(V) * rng.uniform(0, 1, 468)
    fit = A.fit_light(colour.astype(np.float32), np.zeros((468, 3), np.float32), B, weight.astype(np.float32), 2.)
    g = {
        'points': L, 'raw_pose': np.array([np.concatenate([[q[0]], q[1].ravel(), q[2]]) for q in raw]), 'pose': np.array([np.concatenate([[q[0]], q[1].ravel(), q[2]]) for q in m.pose]),
        'angles': m.angles, 'shape': np.array([m.X[i][:468] for i in at]), 'neutral': m.N[:468], 'eyes': m.eye, 'eye_neutral': m.eyeN, 'lips': m.gap,
        'gaze': np.array([[A.gaze(l, E) for E in A.EYE] for l in m.L]), 'standin': standin, 'transfer': np.array(plain), 'corrected': np.array(corrected),
        'border': A.oval_weights(V), 'skin': A.skin_weights(V), 'ring': A.ring_points(standin), 'light_colour': colour, 'light_weight': weight, 'light': fit,
        'rest': np.array([rest_of(m.N[:468].astype(np.float64)), rest_of(standin.astype(np.float64))]), 'moves': moves, 'shade': shade, 'rested': np.array(rested),
    }
    save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in g.items()}, o.out); print('%s: %d KiB' % (o.out, os.path.getsize(o.out) // 1024))
if __name__ == '__main__': main()
