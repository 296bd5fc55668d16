#!/usr/bin/env python3
"""Golden tensors of the face generator, from the PyTorch reference it was trained with (development time only).

  make_facegen_goldens.py [--shared ../shared] [--out tests/models/golden] [--full]

Writes facegen-small.safetensors/.json: a tiny network of random weights in the shipped format (8-bit blocks and fp16), and
facegen-golden.safetensors: what the reference answers for it. With --full also, from the real weights: samples of one
forward, and a finished picture (facegen-portrait.png). Inputs come from the product's own random numbers, re-stated here,
so that no noise has to be stored.
"""
import argparse, hashlib, json, math, os, struct, sys
import numpy as np

class Random:
    """base/random.h: xoshiro256** seeded by SHA-256(seed as 8 little-endian bytes, key), Box-Muller normals"""
    def __init__(s, seed, key):
        s.s = list(struct.unpack('<4Q', hashlib.sha256(struct.pack('<Q', seed) + key.encode()).digest()))
        s.s[0] |= 1
        s.spare = None
    def u64(s):
        M = (1 << 64) - 1
        rot = lambda x, n: ((x << n) | (x >> (64 - n))) & M
        a = s.s
        out = (rot((a[1] * 5) & M, 7) * 9) & M
        t = (a[1] << 17) & M
        a[2] ^= a[0]; a[3] ^= a[1]; a[1] ^= a[2]; a[0] ^= a[3]; a[2] ^= t; a[3] = rot(a[3], 45)
        return out
    def uniform(s): return (s.u64() >> 11) * 2. ** -53
    def normal(s):
        if s.spare is not None:
            v, s.spare = s.spare, None
            return v
        r = math.sqrt(-2 * math.log(1 - s.uniform())); a = 6.283185307179586 * s.uniform()
        s.spare = np.float32(r * math.sin(a))
        return np.float32(r * math.cos(a))
    def normals(s, *shape): return np.array([s.normal() for _ in range(int(np.prod(shape)))], np.float32).reshape(shape)

# What tests/models/test_facegen.c asks for, word for word: (age, gender, race, domain; -1 unknown), raw values by name.
PAIR = [dict(cls=[4, 1, 6, 1], yaw=3., pitch=-2., mouth_open=.02, mouth_width=.55, eye_open=.34, gaze_x=.01, gaze_y=-.07, log_sharp=5.5, r=150., g=115., b=99., contrast=45.),
        dict(cls=[-1, -1, -1, -1])]
T = .35

def conditions(M, torch, stats, rows):
    k = torch.tensor([[c if c >= 0 else n for c, (_, n) in zip(r['cls'], M.CLASSES)] for r in rows])
    kv = torch.tensor([[(r[c] - stats['mean'][i]) / stats['std'][i] if c in r else 0. for i, c in enumerate(M.CONT)] for r in rows], dtype=torch.float32)
    km = torch.tensor([[1. if c in r else 0. for c in M.CONT] for r in rows])
    return k, kv, km

def main():
    ap = argparse.ArgumentParser(); ap.add_argument('--shared', default='../shared'); ap.add_argument('--out', default='tests/models/golden'); ap.add_argument('--full', action='store_true')
    a = ap.parse_args(); sys.path.insert(0, a.shared + '/oracles')
    import torch, facegen_model as M
    real = json.load(open(a.shared + '/data/generator/facegen.json')); st = real['stats']; ten = {}
    torch.manual_seed(1)
    # --- a tiny network
    cfg = dict(img=32, patch=4, c0=32, c1=64, n0d=1, n0u=2, n1d=1, n1u=1, ntf=1, heads=2, hid=96, emb=64, rank=32)
    net = M.Net(cfg).eval()
    for n, p in net.named_parameters():      # nothing may stay zero, or a wrong branch would go unseen
        with torch.no_grad():
            if p.ndim == 1 and n.split('.')[-1].startswith('g'): p.copy_(1 + .2 * torch.randn_like(p))
            else: p.copy_(torch.randn_like(p) * (.5 / math.sqrt(max(1, p[0].numel() if p.ndim > 1 else 4))))
    for n in ('p0', 'p1'): getattr(net, n).data.normal_(std=.3)
    parts = M.export(net.state_dict(), '/tmp/facegen-small', meta=dict(format='q8_0 block 32'))
    assert len(parts) == 1
    os.replace(parts[0], f'{a.out}/facegen-small.safetensors')
    j = dict(real, arch=cfg, files=['facegen-small.safetensors']); j.pop('train', None)
    json.dump(j, open(f'{a.out}/facegen-small.json', 'w'), indent=1)
    sd = net.state_dict(); net.load_state_dict({**sd, **M.load_q8([f'{a.out}/facegen-small.safetensors'], sd)})
    with torch.no_grad():
        z = torch.from_numpy(Random(5, 'golden/small').normals(3, 32, 32))[None].expand(2, -1, -1, -1)
        c = conditions(M, torch, st, PAIR)
        ten['small.forward'] = net(z, torch.full((2,), T), *c).numpy()
        x, nfe = M.sample(net, torch.from_numpy(Random(6, 'golden/small').normals(3, 32, 32))[None], [u[:1] for u in c], steps=8, guide=1.75)
        ten['small.picture'] = x[0].numpy()
        print('small', float(abs(ten['small.forward']).mean()), nfe)
    # --- the real one
    if a.full:
        net = M.Net(real['arch']).eval(); sd = net.state_dict(); torch.set_num_threads(2)
        net.load_state_dict({**sd, **M.load_q8([f'{a.shared}/data/generator/{f}' for f in real['files']], sd)})
        with torch.no_grad():
            z = torch.from_numpy(Random(7, 'golden/full').normals(3, 128, 128))[None].expand(2, -1, -1, -1); c = conditions(M, torch, st, PAIR)
            f = net(z, torch.full((2,), T), *c).numpy(); ten['full.forward'] = np.ascontiguousarray(f.reshape(2, -1)[:, ::97])
            x, nfe = M.sample(net, torch.from_numpy(Random(8, 'golden/full').normals(3, 128, 128))[None], [u[:1] for u in c], steps=20, guide=1.75); print('full', nfe)
        from PIL import Image
        Image.fromarray(((x[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()).save(f'{a.out}/facegen-portrait.png')
    else:
        try: ten['full.forward'] = M.st_read(f'{a.out}/facegen-golden.safetensors')['full.forward']
        except (OSError, KeyError): pass
    M.st_write(f'{a.out}/facegen-golden.safetensors', ten, {})
if __name__ == '__main__': main()
