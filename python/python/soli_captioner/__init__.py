"""Describes pictures in a sentence, on any CPU, offline.

    from soli_captioner import Captioner
    captioner = Captioner.load()
    captioner.caption("photo.jpg")["text"]
"""

import json
import operator
import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, Tuple, TypedDict, Union

from ._native import Captioner as _Captioner
from ._native import PictureError, WeightsError, __version__

__all__ = ["Caption", "Captioner", "Picture", "PictureError", "WeightsError", "Word", "__version__"]

#: What shows a picture: the bytes of an image file, its path, a Pillow image, or a numpy array of uint8.
Picture = Any
_Options = Tuple[int, Optional[int], bool]


class Word(TypedDict):
    """A word that a picture shows."""

    #: The word, in lower case.
    word: str
    #: How likely people who describe the picture say it, 0 to 1.
    probability: float


class Caption(TypedDict, total=False):
    """What was said of a picture, with the names that it has in the rows of `soli caption` and in JavaScript.

    A plain dict. It has all fields but `error`; those of `caption_all` have `error` alone where there is no caption.
    """

    #: The caption: lower case, no full stop. Of a picture that is no photograph it says what it is instead.
    text: str
    #: "photograph", "drawing", "text", "chart", "interface" or "blank"; None from weights that do not tell.
    kind: Optional[str]
    #: Mean log-probability of the tokens, or the logarithm of how probable the kind is; at most 0, the higher the surer.
    score: float
    #: The words in order.
    tokens: List[str]
    #: The probability, 0 to 1, that the caption is about right; None from weights that were not calibrated.
    confidence: Optional[float]
    #: How it can be told: "likely" as it is, "unsure" as a guess, "no" not at all; None from weights that were not calibrated.
    certainty: Optional[str]
    #: The words that the picture most likely shows, the likeliest first.
    words: List[Word]
    #: Whether the picture's file is cut off, so that only what is there (at least half) was described.
    partial: bool
    #: Why there is no caption.
    error: str


_Weights = Union[None, str, "os.PathLike[str]", bytes]


class Captioner:
    """A captioner with its weights. Many threads can use one at the same time."""

    def __init__(self, native: _Captioner, weights: _Weights) -> None:
        """Use `Captioner.load`."""
        self._native = native
        self._weights = weights

    @classmethod
    def load(cls, weights: _Weights = None) -> "Captioner":
        """Load the weights that are inside the package, or others: a path or the file's bytes.

        Raises OSError if the file cannot be read, WeightsError if it cannot be used.
        """
        if weights is None:
            return cls(_Captioner(), None)
        if isinstance(weights, (bytes, bytearray, memoryview)):
            weights = bytes(weights)
            return cls(_Captioner(weights), weights)
        path = os.path.abspath(os.fspath(weights))
        with open(path, "rb") as file:
            return cls(_Captioner(file.read()), path)

    def caption(
        self, picture: Picture, *, beam: int = 3, max_tokens: Optional[int] = None, neutral: bool = True
    ) -> Caption:
        """Describe a picture.

        beam: captions considered at each step, 1 to 8; 1 is greedy. max_tokens: longest caption, its end included.
        neutral: people are "a person" and "a child", whatever gender and age the network guesses.
        Raises PictureError if the picture cannot be captioned, TypeError if it is none, OSError if its file cannot be
        read, ValueError if an option is out of range.
        """
        return self._describe(_readable(picture), _options(beam, max_tokens, neutral))

    def caption_all(
        self,
        pictures: Iterable[Picture],
        *,
        beam: int = 3,
        max_tokens: Optional[int] = None,
        neutral: bool = True,
        threads: Optional[int] = None,
    ) -> Iterator[Caption]:
        """Describe pictures in their order, a few at a time; `pictures` may be endless.

        A picture that cannot be captioned gives {"error": ...} and does not stop the others. threads: pictures captioned
        at the same time, as many as there are cores if not given.
        """
        threads = _cores() if threads is None else operator.index(threads)
        if threads < 1:
            raise ValueError(f"threads is {threads}, but must be at least 1")
        # Wrong options must fail at once, not with each picture.
        return self._caption_all(iter(pictures), _options(beam, max_tokens, neutral), threads)

    def _caption_all(self, pictures: Iterator[Picture], options: _Options, threads: int) -> Iterator[Caption]:
        def work(picture: Picture) -> Caption:
            try:
                return self._describe(_readable(picture), options)
            except (PictureError, TypeError, ValueError, OSError) as error:
                return {"error": str(error)}

        if threads == 1:
            yield from map(work, pictures)
            return
        pool = ThreadPoolExecutor(threads, thread_name_prefix="soli")
        waiting: "Deque[Future[Caption]]" = deque()
        try:
            for picture in pictures:
                waiting.append(pool.submit(work, picture))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)

    def _describe(self, readable: Tuple[Any, ...], options: _Options) -> Caption:
        call: Callable[..., str] = self._native.encoded if len(readable) == 2 else self._native.pixels
        caption: Caption = json.loads(call(*readable, *options))
        return caption

    def __reduce__(self) -> Tuple[Any, ...]:
        # Engines send the object to their workers: each loads its weights again.
        return (type(self).load, (self._weights,))

    def __repr__(self) -> str:
        weights = self._weights
        which = "published weights" if weights is None else f"{len(weights)} bytes" if isinstance(weights, bytes) else weights
        return f"<soli_captioner.Captioner, {which}>"


def _options(beam: int, max_tokens: Optional[int], neutral: bool) -> _Options:
    """The options, the numbers as integers that lie in their ranges."""
    if not isinstance(neutral, bool):
        raise TypeError(f"neutral must be True or False, not {type(neutral).__qualname__}")
    beam = operator.index(beam)
    if not 1 <= beam <= 8:
        raise ValueError(f"beam is {beam}, but must lie in 1..=8")
    if max_tokens is None:
        return beam, None, neutral
    max_tokens = operator.index(max_tokens)
    if max_tokens < 2:
        raise ValueError(f"max_tokens is {max_tokens}, but must be at least 2")
    # No caption is nearly as long, and the native side counts in 64 bits.
    return beam, min(max_tokens, 1 << 31), neutral


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Not on Linux.
        return os.cpu_count() or 1


def _readable(picture: Picture) -> Tuple[Any, ...]:
    """(name, bytes of an image file), or (width, height, channels, bytes of pixels)."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return ("picture", bytes(picture))
    if isinstance(picture, (str, os.PathLike)):
        path = os.fsdecode(os.fspath(picture))
        with open(path, "rb") as file:
            return (path.encode("utf-8", "replace").decode(), file.read())
    # Only a picture of Pillow's can be one if Pillow was imported; so neither library is needed.
    pillow, numpy = sys.modules.get("PIL.Image"), sys.modules.get("numpy")
    if pillow is not None and isinstance(picture, pillow.Image):
        return _of_pillow(picture)
    if numpy is not None and isinstance(picture, numpy.ndarray):
        return _of_numpy(picture)
    raise TypeError(
        f"a picture must be bytes, a path, a Pillow image or a numpy array, not {type(picture).__qualname__}"
    )


def _of_pillow(image: Any) -> Tuple[Any, ...]:
    from PIL import ImageOps

    if image.mode == "F":
        raise TypeError("a Pillow image of floats has no range of its own; convert it to 'L' or 'RGB' first")
    try:
        # A file's pixels are read only now, and Pillow reports broken ones in many ways.
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            # Pillow would clip 16 bits to the darkest 256 values.
            image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
        if image.mode == "La":
            # The only kind that Pillow has no direct way for.
            image = image.convert("LA")
        image = image.convert("RGBA")
    except Exception as error:
        raise PictureError(f"Pillow cannot read the picture: {error}") from error
    return (image.width, image.height, 4, image.tobytes())


def _of_numpy(array: Any) -> Tuple[Any, ...]:
    if array.dtype.name != "uint8":
        raise TypeError(f"an array must be of uint8 (0 to 255), not {array.dtype.name}")
    shape = array.shape if array.ndim != 2 else (*array.shape, 1)
    if len(shape) != 3 or shape[2] not in (1, 3, 4):
        raise TypeError(f"an array must be (rows, columns) or (rows, columns, 1, 3 or 4), not {array.shape}")
    return (shape[1], shape[0], shape[2], array.tobytes())
