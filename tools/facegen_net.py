"""The face generator's network with what this project added to the first one: six more numbers to ask for, and who it is.

The base (network, sampler, 8-bit files) is ../shared/oracles/facegen_model.py; import it from there:
  M = facegen_net.base("../shared/oracles"); net = facegen_net.Net(M, cfg)
Conditions are packed as the base packs its numbers: kv [n, 18 + 128] holds the normalised numbers and the normalised
identity, km [n, 18 + 128] which of them are known (1) or left to chance (0).
"""
import importlib
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

# smile: how far the corners lie below the lip line over the mouth's width (negative: smiling); teeth: log luminance of the
# open mouth less the cheeks'; side_light: left cheek less right; fringe: share of the forehead unlike the cheeks;
# glasses: score of src/face/portrait_gate_colour.c; beard: lower face less the cheeks, log luminance.
MORE = ["smile", "teeth", "side_light", "fringe", "glasses", "beard"]
MORE_GROUPS = [[12, 13], [14], [15], [16], [17]]          # dropped together
IDENTITY = 128                                            # dlib's descriptor


def base(oracles):
    sys.path.insert(0, oracles)
    M = importlib.import_module("facegen_model")
    if len(M.CONT) == 12:
        M.CONT = M.CONT + MORE
        M.GROUPS = M.GROUPS + MORE_GROUPS
    return M


def make_net(M, cfg):
    """A class over the base's Net: an instance takes and gives what the base's does."""

    class Net(M.Net):
        def __init__(self, cfg):
            super().__init__(cfg)
            e = cfg["emb"]
            self.i1 = nn.Linear(IDENTITY, e, bias=False)  # no bias: an unknown identity is zero and stays zero
            self.i2 = nn.Linear(e, e, bias=False)
            nn.init.zeros_(self.i2.weight)

        def cond(self, t, k, kv, km):
            f = torch.exp(-math.log(1000.) * torch.arange(128, device=t.device) / 127)
            u = 5 * torch.log((1 - t) / t)[:, None] * f
            e = self.t2(F.silu(self.t1(torch.cat([u.cos(), u.sin()], 1))))
            for i, table in enumerate(self.cls):
                e = e + table(k[:, i])
            n = len(M.CONT)
            v = kv[:, :n].clamp(-3, 3)[:, :, None]
            waves = torch.cat([v] + [w(m * v) for m in (1, 2, 4) for w in (torch.sin, torch.cos)] + [torch.ones_like(v)], 2)
            e = e + self.k2(F.silu(self.k1((waves * km[:, :n, None]).flatten(1))))
            return F.silu(e + self.i2(F.silu(self.i1(kv[:, n:] * km[:, n:]))))

    return Net(cfg)
