#!/usr/bin/env python3
"""The raw form of trainer/src/labels.tsv: for each label the lemmas of its WordNet hypernyms that soli's vocabulary has.

  python tests/reference/labels.py --model soli.safetensors --labels labels.csv --wordnet dict \\
      --names torchvision/models/_meta.py --synsets imagenet_synsets.txt [--table trainer/src/labels.tsv]

`dict` is in WNdb-3.0.tar.gz of the npm package WNdb 3.0.1, `_meta.py` in torchvision's wheel and the synsets (in the order
of the class numbers) in timm's, as `timm/data/_info/imagenet_synsets.txt`. ImageNet's synsets are offsets into WordNet 3.0;
any other label takes the first sense of its name or else of its last word, which is often the wrong one ("anjou" is a
province). The table is no output of this: each of its lines was read and most were written anew by hand. With --table,
only the lines that differ are printed, raw | kept, with None where one of the two lacks the label.
"""

import argparse
import csv
import json
import pathlib
import re
import struct

# Of no use as a word for a picture, or the wrong sense of it in most hypernyms.
ABSTRACT = set("""object being device covering structure construction wear equipment machine barrier part formation piece work
    gear cause game container good course surface area medium arm arms home round body control bar bars cover wheel top lid
    screen case string stick""".split())
KINDS = ("object", "room", "food", "clothes")


def plain(label):
    return re.sub(r"[-_\s]+", " ", label.lower()).strip()


def wordnet(folder):
    """Offset -> (lemmas, offsets of hypernyms), and lemma -> offset of its first sense."""
    synsets, first = {}, {}
    for line in (folder / "data.noun").read_text().splitlines():
        if not line.startswith(" "):
            fields = line.split(" | ")[0].split()
            pointers = 4 + 2 * int(fields[3], 16)
            rest = fields[pointers + 1 : pointers + 1 + 4 * int(fields[pointers])]
            hypernyms = [rest[at + 1] for at in range(0, len(rest), 4) if rest[at] in ("@", "@i")]
            synsets[fields[0]] = [plain(lemma) for lemma in fields[4:pointers:2]], hypernyms
    for line in (folder / "index.noun").read_text().splitlines():
        if not line.startswith(" "):
            fields = line.split()
            first[plain(fields[0])] = fields[-int(fields[2])]
    return synsets, first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--model", "--labels", "--wordnet", "--names", "--synsets", "--table"):
        parser.add_argument(name, type=pathlib.Path, required=name != "--table")
    given = parser.parse_args()
    with open(given.model, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    known, (synsets, first) = set(header["__metadata__"]["vocabulary"].split("\n")), wordnet(given.wordnet)
    names = re.search(r"_IMAGENET_CATEGORIES = (\[.*?\n\])", given.names.read_text(), re.S)[1]
    senses = {}
    for name, synset in zip(re.findall(r'"(.+?)"', names), given.synsets.read_text().split(), strict=True):
        senses.setdefault(plain(name), []).append(synset[1:])
    with open(given.labels, newline="") as file:
        for label in {plain(row["label"]) for row in csv.DictReader(file) if row["kind"] in KINDS} - set(senses):
            tries = [form for name in (label, label.split()[-1]) for form in (name, name.rstrip("s"))]
            senses[label] = [first[form] for form in tries if form in first][:1]
    raw = {}
    for label, queue in senses.items():
        for offset in queue:  # Breadth first; what has been seen is not gone through again.
            queue.extend(up for up in synsets[offset][1] if up not in queue)
        lemmas = dict.fromkeys(lemma for offset in queue for lemma in synsets[offset][0])
        raw[label] = " ".join(lemma for lemma in lemmas if lemma in known and lemma not in ABSTRACT)
    if not given.table:
        print("\n".join(f"{label}\t{raw[label]}" for label in sorted(raw)))
        return
    kept = dict(line.split("\t") for line in given.table.read_text().splitlines() if not line.startswith("#"))
    for label in sorted(raw.keys() | kept.keys()):
        if raw.get(label) != kept.get(label):
            print(f"{label}\t{raw.get(label)} | {kept.get(label)}")


if __name__ == "__main__":
    main()
