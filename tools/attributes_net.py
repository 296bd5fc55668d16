"""The two attribute networks: their tables of sizes, the trainable modules, BatchNorm folding, and a plain reference forward.

Both read an aligned RGB crop normalised to (x / 255 - 0.5) / 0.25 and give 18 logits: 9 ages, 2 genders, 7 races.
A ("attributes-a", 112 px) is a thin residual network with SiLU; B ("attributes-b", 128 px) is built of 5x5 depthwise
convolutions and pointwise pairs with hard-swish. reference() is the forward that the C code is checked against.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES = (9, 2, 7)
TABLE = {
    "a": dict(size=112, act="silu", stem=32, stages=[(64, 1), (128, 3), (256, 2)]),
    "b": dict(size=128, act="hardswish", stem=24, stages=[(48, 2), (112, 3), (224, 6)], expand=3, kernel=5, top=512),
}


def conv_bn(i, o, k, stride=1, groups=1):
    m = nn.Sequential(nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o))
    nn.init.kaiming_normal_(m[0].weight, mode="fan_out", nonlinearity="relu")
    return m


def drop_path(y, rate, training):
    if not training or rate == 0:
        return y
    keep = torch.rand(len(y), 1, 1, 1, device=y.device) >= rate
    return y * (keep / (1 - rate)).to(y.dtype)


class BlockA(nn.Module):
    """act(c2(act(c1(x))) + shortcut(x)); the first block of a stage has stride 2: 2x2 mean then 1x1 as its shortcut."""

    def __init__(self, i, o, stride, rate):
        super().__init__()
        self.c1, self.c2 = conv_bn(i, o, 3, stride), conv_bn(o, o, 3)
        self.sc = conv_bn(i, o, 1) if stride > 1 else None
        self.rate = rate
        nn.init.zeros_(self.c2[1].weight)

    def forward(self, x):
        y = self.c2(F.silu(self.c1(x)))
        s = self.sc(F.avg_pool2d(x, 2)) if self.sc is not None else x
        return F.silu(s + drop_path(y, self.rate, self.training))


class BlockB(nn.Module):
    """x + project(act(expand(depthwise(x))))."""

    def __init__(self, c, expand, kernel, rate):
        super().__init__()
        self.dw, self.pw1, self.pw2 = conv_bn(c, c, kernel, groups=c), conv_bn(c, c * expand, 1), conv_bn(c * expand, c, 1)
        self.rate = rate
        nn.init.constant_(self.pw2[1].weight, 0.2)

    def forward(self, x):
        return x + drop_path(self.pw2(F.hardswish(self.pw1(self.dw(x)))), self.rate, self.training)


class Net(nn.Module):
    """Trainable network; which = 'a' or 'b'. forward: [n, 3, size, size] -> [n, 18] logits."""

    def __init__(self, which, dropout=0.2, rate=0.1):
        super().__init__()
        t = TABLE[which]
        self.which, self.size = which, t["size"]
        self.act = F.silu if which == "a" else F.hardswish
        self.stem = conv_bn(3, t["stem"], 3, 2)
        c, total, n = t["stem"], sum(d for _, d in t["stages"]), 0
        for k, (width, depth) in enumerate(t["stages"], 1):
            if which == "b":
                self.add_module(f"d{k}", conv_bn(c, width, 3, 2))
            for j in range(depth):
                r = rate * n / max(1, total - 1)
                n += 1
                self.add_module(f"s{k}b{j}", BlockA(c, width, 1 if j else 2, r) if which == "a"
                                else BlockB(width, t["expand"], t["kernel"], r))
                c = width
        self.order = [m for m, _ in self.named_children() if m != "stem"]
        if which == "b":
            self.top = conv_bn(c, t["top"], 1)
            c = t["top"]
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(c, sum(CLASSES))

    def forward(self, x):
        x = self.act(self.stem(x))
        for m in self.order:
            x = getattr(self, m)(x)
            if m[0] == "d":
                x = self.act(x)
        if self.which == "b":
            x = self.act(self.top(x))
        return self.head(self.drop(x.mean((2, 3))))


def fold(net):
    """Inference tensors {name: f32}: every convolution with its BatchNorm folded in ('NAME.w' OIHW, 'NAME.b'), and head."""
    out = {}
    for name, m in net.named_modules():
        if isinstance(m, nn.Sequential) and len(m) == 2 and isinstance(m[1], nn.BatchNorm2d):
            bn = m[1]
            k = (bn.weight / torch.sqrt(bn.running_var + bn.eps)).double()
            out[name + ".w"] = (m[0].weight.double() * k[:, None, None, None]).float()
            out[name + ".b"] = (bn.bias.double() - bn.running_mean.double() * k).float()
    out["head.w"], out["head.b"] = net.head.weight.float(), net.head.bias.float()
    return {k: v.detach() for k, v in out.items()}


def reference(which, w, x):
    """Forward in plain operations: w {name: f32 tensor}, x [n, 3, size, size] normalised -> [n, 18] f32."""
    t = TABLE[which]

    def conv(x, name, stride=1, groups=1):
        k = w[name + ".w"]
        return F.conv2d(x, k, w[name + ".b"], stride, k.shape[2] // 2, groups=groups)

    act = F.silu if t["act"] == "silu" else F.hardswish
    x = act(conv(x, "stem", 2))
    for k, (width, depth) in enumerate(t["stages"], 1):
        if which == "b":
            x = act(conv(x, f"d{k}", 2))
        for j in range(depth):
            n = f"s{k}b{j}"
            if which == "a":
                s = x if j else conv(F.avg_pool2d(x, 2), n + ".sc")
                x = act(conv(act(conv(x, n + ".c1", 1 if j else 2)), n + ".c2") + s)
            else:
                x = x + conv(act(conv(conv(x, n + ".dw", groups=width), n + ".pw1")), n + ".pw2")
    if which == "b":
        x = act(conv(x, "top"))
    return x.mean((2, 3)) @ w["head.w"].T + w["head.b"]


def normalise(crops):
    """uint8 [n, size, size, 3] -> f32 [n, 3, size, size]."""
    x = torch.from_numpy(np.ascontiguousarray(crops)) if isinstance(crops, np.ndarray) else crops
    return (x.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def split(logits, temperatures=(1, 1, 1)):
    """[n, 18] -> probabilities of age, gender, race."""
    return [(p / t).softmax(1) for p, t in zip(logits.split(CLASSES, 1), temperatures)]


def describe(which):
    """What a reader of the weights needs besides the names of the tensors; goes into attributes-X.json."""
    import align_faces as al
    t = TABLE[which]
    align = {
        "a": dict(points="eyes 33 133 159 145 | 263 362 386 374; mouth 61 291 0 17", roll="eye line",
                  side="max(2.6 eye distance, 2.45 eye-mouth distance)", centre="eyes + 0.42 (mouth - eyes)"),
        "b": dict(points="face oval, 36 points", roll="line 10 to 152 upright",
                  side="1.3 x longer side of the oval's box in the rolled frame", centre="centre of that box"),
    }[which]
    return dict(classes=dict(age=al.AGES, gender=al.GENDERS, race=al.RACES), normalisation=dict(order="RGB", mean=0.5, std=0.25),
                alignment=dict(align, resampling="mean of n x n bilinear samples, n = ceil(side / size) in 1..8, edges repeated"),
                table=t)


if __name__ == "__main__":
    for which in "ab":
        net = Net(which).eval()
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.3), m.running_var.uniform_(0.5, 2), nn.init.uniform_(m.weight, 0.5, 1.5)
        x = torch.randn(2, 3, net.size, net.size)
        macs = []
        for m in net.modules():
            if isinstance(m, nn.Conv2d):
                m.register_forward_hook(lambda m, i, o: macs.append(o[0].numel() * m.weight[0].numel()))
        with torch.no_grad():
            d = (net(x) - reference(which, fold(net), x)).abs().max().item()
        print(which, "params", sum(v.numel() for v in fold(net).values()), "MMAC %.1f" % (sum(macs) / 2e0 * 2 / 1e6),
              "fold difference %.2g" % d)
        for k, v in fold(net).items():
            print("  ", k, tuple(v.shape)) if k.endswith(".w") else None
