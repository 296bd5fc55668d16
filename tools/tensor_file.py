"""safetensors files as numpy arrays: what the stages write, and weights that are not packed in 8 bits."""
import json

import numpy as np

KINDS = dict(F64=np.float64, F32=np.float32, F16=np.float16, I32=np.int32, U8=np.uint8)


def read(path):
    """{name: array}"""
    with open(path, "rb") as f:
        data = f.read()
    start = 8 + int.from_bytes(data[:8], "little")
    return {k: np.frombuffer(data[start:][slice(*v["data_offsets"])], KINDS[v["dtype"]]).reshape(v["shape"])
            for k, v in json.loads(data[8:start]).items() if k != "__metadata__"}
