#!/usr/bin/env python3
"""Reference values for soli's caption metrics, made with pycocoevalcap 1.2 and the tokeniser jar inside it (Java).

  pip install pycocoevalcap==1.2
  python tests/reference/metrics.py [--meteor]
      writes the fixture tests/fixtures/metrics/pycocoevalcap.json: captions made by the grammar below, so free of
      anyone's rights, and hard cases written by hand.
  python tests/reference/metrics.py --flickr8k FOLDER [--text FILE ...] --out FILE
      the same from real captions: caption 0 of each dev image as the candidate against the other four, and the
      tokens of every caption. Then: SOLI_TEST_METRICS=FILE cargo test -p soli-trainer --lib metrics

The jar reads all captions as one text and at an end of line may look at the start of the next one ("... with a P."
before "A dog" loses its stop). To have each caption's own tokens, a neutral line is put between captions.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import tempfile

import pycocoevalcap.tokenizer.ptbtokenizer as ptb
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, "..", "fixtures", "metrics", "pycocoevalcap.json")

WHO = [
    "a man", "a woman", "two children", "a little girl", "a boy in a red t-shirt", "an old man", "three people",
    "a black-and-white dog", "a brown dog", "two dogs", "a cat", "a skateboarder", "a man's dog", "the boys",
    "a group of hikers", "a 3-year-old", "a person", "somebody", "a baby", "a long-haired musician",
]
DOES = [
    "is running", "runs", "jumps", "is sitting", "sits", "stands", "is standing", "plays with a ball",
    "is holding a frisbee", "can't stop laughing", "isn't looking", "looks up", "walks", "is eating an ice-cream",
    "rides a bike", "is riding a bicycle", "throws a ball", "swims", "sleeps", "doesn't move", "takes a picture",
]
WHERE = [
    "in the grass", "on the beach", "in front of a building", "at the corner of 5th Ave. and Main St.", "on a bench",
    "near the water", "in the snow", "on a snow-covered hill", "by the lake", "in a swimming pool", "on the street",
    "under a tree", "next to a fence", "across the field", "at 10:30 a.m.", "beside a car", "", "",
]
HOW = ["", "", "", "", ", smiling", " with his friends", " while others watch", " (it seems)", " at night", " alone"]
END = ["", ".", " .", ".", "!", " . "]

# Candidates and references that strain the formulas: nothing, one word, repetitions, punctuation alone.
STRAINS = [
    ("", ["a dog runs .", "a brown dog is running .", "dog", "the dog runs fast", "a dog in grass"]),
    (".", ["a cat sits .", "the cat is sitting .", "a cat", "cat on a mat", "one cat"]),
    ("dog", ["a dog runs .", "a brown dog is running .", "dog", "the dog runs fast", "a dog in grass"]),
    ("zebra", ["a horse", "two horses", "a brown horse", "the horse", "horses on grass"]),
    ("a a a a a a a a a a a a a a a a a a a a", ["a cat sits .", "a mat", "a a", "cat on a mat", "one cat"]),
    ("the the the the", ["the cat is on the mat", "there is a cat on the mat", "a cat", "a mat", "cats"]),
    ("two men play chess in the park .", ["two men play chess in the park ."] * 5),
    ("two men play chess", ["", ".", "!", "two", "men"]),
    ("", ["", "", "", "", ""]),
    ("about 1 1/2 pizzas", ["1 1/2 pizzas", "a pizza and 1/2", "1 pizza", "pizzas", "one and a half pizzas"]),
    ("words that no reference has anywhere", ["a", "b", "c", "d", "e"]),
    ("a man & a woman !!", ["a man & a woman", "a man and a woman !!", "A&W", "(a man)", "man/woman"]),
]

HARD = r"""
A dog's ball and the dogs' park.
I don't, can't, won't, shouldn't, isn't, ain't, he'll, they've, we're, I'm, he'd've
I cannot do it, gonna wanna gotta lemme gimme dunno
"Stop" says the 'sign' and "go"
It's 5 o'clock, '90s rock 'n' roll, get 'em, 'tis true, 'twas so, ma'am, y'all
the girl (in red) [the one] {curly} <tag> runs
red/white and/or 3/4 1/2 cup 10,000 3.5 50% $5 $5.50 #1 @home
Mr. Smith and Dr. Jones on Main St. in the U.S. vs. the U.K.
A man in a t-shirt -- running - fast --- really ... yes .... no..
A dog , a cat ; a bird : a fish ! ? ?! !!
a man&a woman & child, A&W root beer AT&T R&B
a 3-year-old, 1st 2nd 3rd 20th 1950s 1950's 6ft 6'2" 5" 10am 10 a.m. p.m. 12:30 12:30pm
c'mon ol' man goin' fishin' rock'n'roll d'oh l'eau O'Brien jack-o'-lantern
café naïve “smart quotes” ‘single’ it’s — dash – en … ellipsis
see http://www.example.com/a or foo@bar.com @user #tag www.foo.com foo.com
a * star / slash ~ tilde ^ caret _ under a_b = + a+b
the table.A man sits.Two dogs run
cats,dogs and cats;dogs a:b yes!no why?no
The people load the big red truck., then leave
ends with an abbreviation etc.
letter "B." and letter B. The end
A B. Smith sign
no. 5 and No. 5 but no. Other
£5 €5 5¢ 90° ½ ¼ × ©
''quoted'' ``quoted'' 'quoted' `quoted'
she said,"hi" ,"x", ("y")
smile :) :( :-) ;-) :D <3
a- b -c d-e- -f-g- e--f
tree-lined's wolf's-head men's-wear
rock-n-roll rock-'n'-roll hors-d'oeuvres hors d'oeuvres
a/b a/b/c a/b/c/d 1/a 1/2/2010 w/ w/o his/her/their it's/that's
at 5:30 on 10/29/2011 or 10-29-2011, call 555-1234
2+ and 2+2 a=b a>b <b> a
t.v. and T.V. sets, a t.v, D.C. J.F.K. Ph.D. a.k.a.
women's children's mens' kids'
graffiti'd and graffiti'ed walls, Dunkin' donuts
Penn. a penn. Mass. a mass. of people, Wash. the wash. is
Rd. Ave. Blvd. St. Mt. Ft. Sgt. Capt. vs. al. est.
4'x4' 4"x4" 4x4 2x4 3D 3-D 7-Eleven
&amp; &lt; &gt; A&amp;B
1 1/2 cups, 22 3/4 street
*** *a* f*** sh*t
a man   with    many     blanks	and a tab
ONE LINE OF CAPITALS, ISN'T IT? IT'S THE DOG'S.
a dog...and a cat . . . sleep
Äpfel, ÉCOLE, niño, 日本語, русский
ain't ain ' t don' t dog 's dog' s it's. it's, it's!
""".strip("\n").split("\n")


def generated(count):
    """Candidates with five references each: variations of one scene, so that they share some n-grams."""
    rng = random.Random(20)
    scenes = []

    def sentence(who, does, where):
        text = f"{who} {does} {where}".strip() + rng.choice(HOW) + rng.choice(END)
        return text[0].upper() + text[1:] if rng.random() < 0.7 else text

    def vary(value, options):
        return value if rng.random() < 0.6 else rng.choice(options)

    for _ in range(count):
        who, does, where = rng.choice(WHO), rng.choice(DOES), rng.choice(WHERE)
        made = [sentence(vary(who, WHO), vary(does, DOES), vary(where, WHERE)) for _ in range(6)]
        scenes.append((made[0], made[1:]))
    return scenes


def java_tokens(lines):
    """The tokens of each line, as pycocoevalcap's PTBTokenizer keeps them."""
    folder = os.path.dirname(os.path.abspath(ptb.__file__))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as file:
        file.write("\n".join(f"{line}\nneutral" for line in (line.replace("\n", " ") for line in lines)))
    command = ["java", "-Dfile.encoding=UTF-8", "-cp", os.path.join(folder, ptb.STANFORD_CORENLP_3_4_1_JAR)]
    command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", file.name]
    output = subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8")
    os.remove(file.name)
    tokens = output.split("\n")[0 : 2 * len(lines) : 2]
    assert len(tokens) == len(lines), (len(tokens), len(lines))
    return [" ".join(w for w in line.rstrip(" ").split(" ") if w not in ptb.PUNCTUATIONS) for line in tokens]


def reference_values(scenes, texts, meteor):
    lines = [line for candidate, references in scenes for line in [candidate, *references]]
    tokens = iter(java_tokens(lines))
    res, gts = {}, {}
    for image, (_, references) in enumerate(scenes):
        res[image] = [next(tokens)]
        gts[image] = [next(tokens) for _ in references]
    bleu, bleu_each = Bleu(4).compute_score(gts, res, verbose=0)
    rouge, rouge_each = Rouge().compute_score(gts, res)
    cider, cider_each = Cider().compute_score(gts, res)
    values = {
        "made_by": "tests/reference/metrics.py with pycocoevalcap 1.2",
        "corpus": {"bleu": bleu, "rouge_l": float(rouge), "cider": float(cider), "meteor": None},
        "images": [
            {
                "candidate": candidate,
                "references": references,
                "bleu": [float(bleu_each[n][image]) for n in range(4)],
                "rouge_l": float(rouge_each[image]),
                "cider": float(cider_each[image]),
            }
            for image, (candidate, references) in enumerate(scenes)
        ],
        "tokens": [list(pair) for pair in zip(texts, java_tokens(texts))],
    }
    if meteor:
        from pycocoevalcap.meteor.meteor import Meteor

        values["corpus"]["meteor"] = Meteor().compute_score(gts, res)[0]
    return values


def real_captions(folder):
    captions = {}
    with open(os.path.join(folder, "captions.txt"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            captions.setdefault(row["image"], []).append(row["caption"])
    with open(os.path.join(folder, "Flickr_8k.devImages.txt"), encoding="utf-8") as file:
        dev = [captions[name.strip()] for name in file if name.strip()]
    return [(own[0], own[1:]) for own in dev], [text for own in captions.values() for text in own]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr8k", help="folder of Flickr8k in the Kaggle layout")
    parser.add_argument("--text", action="append", default=[], help="file of further captions to tokenise, one a line")
    parser.add_argument("--out", default=FIXTURE)
    parser.add_argument("--meteor", action="store_true", help="METEOR too (slow, 2 GB)")
    args = parser.parse_args()
    if args.flickr8k:
        scenes, texts = real_captions(args.flickr8k)
        for name in args.text:
            with open(name, encoding="utf-8") as file:
                texts += [line.rstrip("\n") for line in file]
    else:
        scenes, texts = STRAINS + generated(230 - len(STRAINS)), HARD
    values = reference_values(scenes, texts, args.meteor)
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(values, file, ensure_ascii=False, indent=0 if args.out == FIXTURE else None)
        file.write("\n")
    print(f"{args.out}: {len(scenes)} images, {len(texts)} texts,", {k: v for k, v in values["corpus"].items()})


if __name__ == "__main__":
    main()
