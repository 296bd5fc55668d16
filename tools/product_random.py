"""The product's random numbers re-stated, so that goldens need not store noise or random weights: both sides draw them."""
import hashlib
import math
import struct

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


def weight(seed, name, shape):
    """A random weight, as tests/common/random_weights.h draws it: gains about 1, shifts about 0, else 1 / sqrt(inputs)."""
    n = Random(seed, name).normals(*shape)
    if len(shape) == 1:
        return n * np.float32(.1) + np.float32(name.endswith("weight"))
    return n * np.float32(1 / math.sqrt(np.prod(shape[1:])))
