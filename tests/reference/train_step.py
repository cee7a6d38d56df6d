"""One training step of soli's caption stage in PyTorch: the peer of `soli bench`.

Reads one line of JSON (the recipe's model and stage, and the captions as token ids), answers `{}`, then takes one step
for every further line and answers `{"ms": ...}`. The same network, loss and optimiser as the trainer's: EfficientNet-
Lite0 with frozen BatchNorm statistics and trainable affine, each image encoded once for its captions, pre-norm decoder
with tied embedding, label smoothing, gradient clipping, AdamW, running average. Captions are padded to the longest, as
is usual in PyTorch; images are channels_last, which is the faster layout here.

    pip install torch
    cargo run --release -p soli-trainer -- bench --python python3
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
          (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
START, END, PAD = 0, 1, -100


def same(x, kernel, stride):
    """TensorFlow's "SAME" padding: the extra row and column go to the bottom and right."""
    pads = []
    for n in (x.shape[3], x.shape[2]):
        total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, 0, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.kernel, self.stride, self.act = kernel, stride, act

    def forward(self, x):
        if self.kernel > 1:
            x = same(x, self.kernel, self.stride)
        x = self.norm(self.conv(x))
        return F.relu6(x) if self.act else x


class Block(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expand = Conv(inputs, wide) if expansion > 1 else nn.Identity()
        self.filter = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, outputs, act=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.project(self.filter(self.expand(x)))
        return x + y if self.residual else y


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, memory, causal, repeat=1):
        # Keys and values of an image are computed once for all its captions.
        k, v = (self.split(f(memory)).repeat_interleave(repeat, 0) for f in (self.k, self.v))
        y = F.scaled_dot_product_attention(self.split(self.q(x)), k, v, is_causal=causal)
        return self.o(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, width, heads, ffn, dropout):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.cross = Attention(width, heads), Attention(width, heads)
        self.up, self.down = nn.Linear(width, ffn), nn.Linear(ffn, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, repeat):
        y = self.norms[0](x)
        x = x + self.dropout(self.own(y, y, True))
        x = x + self.dropout(self.cross(self.norms[1](x), memory, False, repeat))
        hidden = F.gelu(self.up(self.norms[2](x)), approximate="tanh")
        return x + self.dropout(self.down(self.dropout(hidden)))


class Captioner(nn.Module):
    def __init__(self, model, dropout):
        super().__init__()
        decoder = model["decoder"]
        width, vocab = decoder["width"], decoder["vocab_size"]
        blocks, channels = [Conv(3, 32, 3, 2)], 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for i in range(repeats):
                blocks.append(Block(channels, out, kernel, stride if i == 0 else 1, expansion))
                channels = out
        self.trunk = nn.Sequential(*blocks)
        cells = (model["encoder"]["input_side"] // 32) ** 2
        self.embed, self.norm = nn.Linear(320, width), nn.LayerNorm(width)
        self.cell_position = nn.Parameter(torch.randn(cells, width) * 0.02)
        self.words = nn.Embedding(vocab, width)
        self.position = nn.Parameter(torch.randn(decoder["max_tokens"], width) * 0.02)
        self.layers = nn.ModuleList(
            Layer(width, decoder["heads"], decoder["ffn_width"], dropout) for _ in range(decoder["layers"]))
        self.last, self.bias = nn.LayerNorm(width), nn.Parameter(torch.zeros(vocab))
        self.dropout = nn.Dropout(dropout)

    def forward(self, pixels, tokens, repeat):
        x = self.trunk(pixels).flatten(2).transpose(1, 2)
        memory = self.norm(self.embed(x)) + self.cell_position
        x = self.dropout(self.words(tokens) + self.position[: tokens.shape[1]])
        for layer in self.layers:
            x = layer(x, memory, repeat)
        return F.linear(self.last(x), self.words.weight, self.bias)


def main():
    torch.manual_seed(1)
    setup = json.loads(sys.stdin.readline())
    stage, side = setup["stage"], setup["model"]["encoder"]["input_side"]
    texts = [caption for captions in setup["captions"] for caption in captions]
    repeat = len(setup["captions"][0])
    longest = max(map(len, texts)) + 1
    tokens = torch.full((len(texts), longest), END)
    targets = torch.full((len(texts), longest), PAD)
    for i, text in enumerate(texts):
        tokens[i, : len(text) + 1] = torch.tensor([START] + text)
        targets[i, : len(text) + 1] = torch.tensor(text + [END])
    pixels = (torch.rand(len(setup["captions"]), 3, side, side) * 2 - 1).to(memory_format=torch.channels_last)
    model = Captioner(setup["model"], stage["dropout"]).to(memory_format=torch.channels_last)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    parameters = list(model.parameters())
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.AdamW(parameters, lr=1e-6, betas=(0.9, 0.98), weight_decay=stage["schedule"]["weight_decay"], foreach=True)

    def step():
        logits = model(pixels, tokens, repeat)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, label_smoothing=stage["label_smoothing"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, stage["schedule"]["gradient_clip"], foreach=True)
        optimiser.step()
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - stage["schedule"]["ema_decay"])

    print("{}", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        step()
        print(json.dumps({"ms": (time.perf_counter() - started) * 1e3}), flush=True)


if __name__ == "__main__":
    main()
