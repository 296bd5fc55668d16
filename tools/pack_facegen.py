#!/usr/bin/env python3
"""One weight file of what tools/train_facegen.py wrote.

  pack_facegen.py TRAINED TO [--oracles ../shared/oracles]
TRAINED has facegen.json, the parts it names and facegen-identity.safetensors; written: TO/facegen-128.safetensors and
TO/facegen.json. Refuses what is not finite. models/catalog.json needs the new size and sha256, and
tools/make_facegen_goldens.py --weights TO, then tools/make_faceapi_goldens.py, new goldens.   needs: torch numpy
"""
import argparse
import json
import math

import numpy as np

import facegen_net

parse = argparse.ArgumentParser()
parse.add_argument("trained")
parse.add_argument("to")
parse.add_argument("--oracles", default="../shared/oracles")
a = parse.parse_args()
M = facegen_net.base(a.oracles)

with open(f"{a.trained}/facegen.json") as f:
    card = json.load(f)
tensors = {}
for part in card["files"] + ["facegen-identity.safetensors"]:
    tensors.update(M.st_read(f"{a.trained}/{part}"))
bad = [n for n, t in tensors.items() if t.dtype != np.int8 and not np.isfinite(t.astype(np.float32)).all()]
numbers = [x for k in ["mean", "std"] + [f"race{r}" for r in range(7)] for x in card["stats"][k]] + [card["stats"]["identity_scale"]]
if bad or not all(math.isfinite(x) for x in numbers):
    raise SystemExit(f"{a.trained}: not finite: {', '.join(bad) or 'statistics'}")
M.st_write(f"{a.to}/facegen-128.safetensors", tensors, dict(format="q8_0 block 32"))
with open(f"{a.to}/facegen.json", "w") as f:
    json.dump(dict(card, files=["facegen-128.safetensors"]), f, indent=1, allow_nan=False)
