"""dlib's face recognition network (128 numbers, 150 px) in PyTorch, from the quantised weights of @vladmandic/face-api, and the
mesh points from which its crop is made (facegen_conditions.crops_of).

Agrees to 4e-7 with the numpy reference from which tools/make_faceapi_goldens.py makes the C network's goldens (two pictures of
noise, two faces); not compared with the C network itself."""
import numpy as np
import torch
import torch.nn.functional as F

MEAN = (122.782, 117.001, 104.298)
EYES = ([33, 160, 158, 133, 153, 144], [362, 385, 387, 263, 373, 380])
MOUTH = [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87]
STAGES = ([f"conv32_{i}" for i in (1, 2, 3)], [f"conv64_{i}" for i in (1, 2, 3)], [f"conv128_{i}" for i in (1, 2)],
          [f"conv256_{i}" for i in (1, 2)])


class Dlib:
    """weights: name -> array, as a TFJS reader gives them (kernels height, width, in, out)"""

    def __init__(self, weights, device="cpu"):
        self.w = {k: torch.from_numpy(np.array(v, np.float32)).to(device) for k, v in weights.items()}
        self.device = device

    def layer(self, x, name, stride, relu, pad):
        w = self.w
        y = F.conv2d(x, w[name + "/conv/filters"].permute(3, 2, 0, 1), w[name + "/conv/bias"], stride, int(pad))
        y = y * w[name + "/scale/weights"][:, None, None] + w[name + "/scale/biases"][:, None, None]
        return F.relu(y) if relu else y

    def block(self, x, name):
        return F.relu(self.layer(self.layer(x, name + "/conv1", 1, True, True), name + "/conv2", 1, False, True) + x)

    def halve(self, x, name):
        y = self.layer(self.layer(x, name + "/conv1", 2, True, False), name + "/conv2", 1, False, True)
        q = F.avg_pool2d(x, 2)
        if q.shape[2] != y.shape[2]:
            y = F.pad(y, (0, 1, 0, 1))
        return F.relu(y + torch.cat([q, torch.zeros_like(q)], 1)[:, :y.shape[1]])

    def embed(self, crops):
        """[n, 150, 150, 3] 0..255, on the network's device -> [n, 128]; gradients flow"""
        x = crops.float() - torch.tensor(MEAN, device=self.device)
        x = F.max_pool2d(self.layer(x.permute(0, 3, 1, 2) / 255, "conv32_down", 2, True, False), 3, 2)
        for stage, down in zip(STAGES, ("conv64_down", "conv128_down", "conv256_down", "conv256_down_out")):
            for name in stage:
                x = self.block(x, name)
            x = self.halve(x, down)
        return x.mean((2, 3)) @ self.w["fc"]

    @torch.no_grad()
    def __call__(self, crops):
        """[n, 150, 150, 3] uint8 -> [n, 128]"""
        return self.embed(torch.from_numpy(crops).to(self.device)).cpu().numpy()


def load(oracles, folder, device="cpu"):
    """The network from face-api's files in `folder`, read by `oracles`/tfjs.py."""
    import json
    import sys
    sys.path.insert(0, oracles)
    from tfjs import load_weights
    with open(f"{folder}/face_recognition_model-weights_manifest.json") as f:
        return Dlib(load_weights(json.load(f), folder)[0], device)
