"""300 pictures of one kind, rooms and house fronts, as somebody would caption them who has nothing else: out of a labelled set.

    python3 examples/finetune/rooms.py LABELLED FOLDER       writes FOLDER/captions.csv, FOLDER/choose and FOLDER/held-out
    python3 examples/finetune/rooms.py --named FOLDER/held-out FILE   how many of FILE's captions name their picture

LABELLED holds labels.csv (image,kind,label) and Images. FILE is what `soli eval --data FOLDER/held-out --captions FILE` wrote.
No package is needed.
"""

import csv
import hashlib
import json
import shutil
import sys
from pathlib import Path

# What is said of a picture with each label, and the word that has to be in a caption that names it.
WORDINGS = {
    "bedroom": ["a bedroom", "a bed in a bedroom", "a bedroom with a bed", "the inside of a bedroom"],
    "bathroom": ["a bathroom", "a sink in a bathroom", "a bathroom with a sink", "the inside of a bathroom"],
    "kitchen": ["a kitchen", "cabinets in a kitchen", "a kitchen with cabinets", "the inside of a kitchen"],
    "frontal": ["a house", "the front of a house", "a house seen from the street", "the facade of a house"],
}
NAMES = {"bedroom": "bedroom", "bathroom": "bathroom", "kitchen": "kitchen", "frontal": "house"}
LEARNED = 300


def place(name):
    """A picture's place in an order that depends on its name alone: the one by which `soli train --labels` leaves a fifth out."""
    return hashlib.sha256(name.encode()).digest()


def write(labelled, folder, rows):
    """Copies the pictures and writes captions.csv, a line a wording."""
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    with open(folder / "captions.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "caption"])
        for row in rows:
            shutil.copyfile(labelled / "Images" / row["image"], folder / "Images" / row["image"])
            lines.writerows([row["image"], wording] for wording in WORDINGS[row["label"]])


def split(labelled, folder):
    with open(labelled / "labels.csv", newline="") as file:
        rooms = [row for row in csv.DictReader(file) if row["label"] in WORDINGS]
    rooms.sort(key=lambda row: place(row["image"]))
    # The shipped weights learned from labels too, but never from these.
    held_out = [row for row in rooms if place(row["image"])[0] < 51]
    rest = rooms[len(held_out) :]
    parts = {"": rest[:LEARNED], "choose": rest[LEARNED:], "held-out": held_out}
    for name, rows in parts.items():
        write(labelled, folder / name, rows)
        print(f"{folder / name}: {len(rows)} pictures")


def named(folder, file):
    labels = {wording: label for label, wordings in WORDINGS.items() for wording in wordings}
    with open(folder / "captions.csv", newline="") as table:
        shown = {row["image"]: labels[row["caption"]] for row in csv.DictReader(table)}
    counts = {}
    for said in map(json.loads, open(file)):
        label = shown.get(said["file"])
        for row in [label, "all"] if label else []:
            right, of = counts.get((said["px"], row), (0, 0))
            counts[said["px"], row] = (right + (NAMES[label] in said["text"].lower().rstrip(".").split()), of + 1)
    for (px, row), (right, of) in counts.items():
        print(f"{px} px, {row}: {right} of {of} ({100 * right / of:.0f} %)")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--named", folder, file]:
            named(Path(folder), file)
        case [labelled, folder]:
            split(Path(labelled), Path(folder))
        case _:
            sys.exit(__doc__)
