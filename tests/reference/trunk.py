"""Writes tests/fixtures/trunk.json and tests/fixtures/cat-224.png: what PyTorch's operators make of the published
EfficientNet-Lite0, for trainer/tests/trunk.rs.

    pip install torch numpy pillow safetensors
    python tests/reference/trunk.py runs/pretrained/efficientnet-lite0.safetensors

The network is written down here once more, in NCHW and with BatchNorm apart, so that it shares nothing with soli's.
The PNG gives both sides the same pixels; the photographs also take decoding and resizing into account.
"""

import json
import sys
from pathlib import Path

import numpy as np
import PIL
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
SIDE = 224
# Repeats, kernel, stride of the first, expansion, channels in and out.
STAGES = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
]


class Network:
    def __init__(self, path):
        self.tensors = load_file(path)

    def conv(self, x, name, norm, stride=1, groups=1, relu=True):
        weight = self.tensors[f"{name}.weight"]
        pads = []
        for size, kernel in [(x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])]:
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]  # TensorFlow's SAME: the odd one goes right and below
        x = F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)
        get = lambda part: self.tensors[f"{norm}.{part}"]
        x = F.batch_norm(x, get("running_mean"), get("running_var"), get("weight"), get("bias"), eps=1e-3)
        return F.relu6(x) if relu else x

    def features(self, x):
        x = self.conv(x, "_conv_stem", "_bn0", stride=2)
        block = 0
        for repeats, _, first_stride, expansion, into, out in STAGES:
            for repeat in range(repeats):
                name, stride = f"_blocks.{block}", first_stride if repeat == 0 else 1
                y = x
                if expansion != 1:
                    y = self.conv(y, f"{name}._expand_conv", f"{name}._bn0")
                y = self.conv(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=y.shape[1])
                y = self.conv(y, f"{name}._project_conv", f"{name}._bn2", relu=False)
                x = x + y if repeat > 0 else y
                block += 1
        return x

    def classify(self, features):
        x = self.conv(features, "_conv_head", "_bn1").mean((2, 3))
        return x, F.linear(x, self.tensors["_fc.weight"], self.tensors["_fc.bias"])


def rounded(values):
    return [float(f"{value:.6g}") for value in values]


def main():
    torch.set_num_threads(1)
    network = Network(sys.argv[1])
    inputs = []
    for photo in sorted((ROOT / "www" / "photos").glob("*.jpg")):
        square = Image.open(photo).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        inputs.append((f"www/photos/{photo.name}", square))
        if photo.name == "cat.jpg":
            png = FIXTURES / "cat-224.png"
            square.save(png, optimize=True)
            inputs.append((f"tests/fixtures/{png.name}", square))
    cases = []
    for name, square in inputs:
        x = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            features = network.features((x - 127) / 128)
            pooled, logits = network.classify(features)
        top = logits[0].topk(5)
        nhwc = features[0].permute(1, 2, 0).flatten()
        stride = 233  # a prime: the samples fall on all rows, columns and channels
        case = {
            "file": name,
            "top5": [[int(i), round(float(v), 5)] for v, i in zip(top.values, top.indices)],
            "mean": rounded([nhwc.mean()])[0],
            "std": rounded([nhwc.std(correction=0)])[0],
            "stride": stride,
            "features": rounded(nhwc[::stride]),
            "pooled": rounded(pooled[0][::20]),
        }
        cases.append(case)
        print(name, case["top5"])
    made_by = f"tests/reference/trunk.py with PyTorch {torch.__version__}, Pillow {PIL.__version__}"
    body = ",\n".join(json.dumps(case) for case in cases)
    (FIXTURES / "trunk.json").write_text(f'{{"made_by": "{made_by}", "cases": [\n{body}\n]}}\n')


if __name__ == "__main__":
    main()
