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
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, Optional, Tuple, Union

from ._native import Captioner as _Captioner
from ._native import PictureError, WeightsError, __version__

__all__ = ["Caption", "Captioner", "Picture", "PictureError", "WeightsError", "__version__"]

#: What shows a picture: the bytes of an image file, its path, a Pillow image, or a numpy array of uint8.
Picture = Any
#: All fields of a caption: text (str), score (float), tokens (list of str), confidence (float or None), words (list of
#: {"word": str, "probability": float}), and those that later versions add; or, in `caption_all` only, error (str).
Caption = Dict[str, Any]
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

    def caption(self, picture: Picture, *, beam: int = 3, max_tokens: Optional[int] = None) -> Caption:
        """Describe a picture.

        beam: captions considered at each step, 1 to 8; 1 is greedy. max_tokens: longest caption, its end included.
        Raises PictureError if the picture cannot be captioned, TypeError if it is none, OSError if its file cannot be
        read, ValueError if an option is out of range.
        """
        return self._describe(_readable(picture), *_options(beam, max_tokens))

    def caption_all(
        self,
        pictures: Iterable[Picture],
        *,
        beam: int = 3,
        max_tokens: Optional[int] = None,
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
        return self._caption_all(iter(pictures), *_options(beam, max_tokens), threads)

    def _caption_all(
        self, pictures: Iterator[Picture], beam: int, max_tokens: Optional[int], threads: int
    ) -> Iterator[Caption]:
        def work(picture: Picture) -> Caption:
            try:
                return self._describe(_readable(picture), beam, max_tokens)
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

    def _describe(self, readable: Tuple[Any, ...], beam: int, max_tokens: Optional[int]) -> Caption:
        call: Callable[..., str] = self._native.encoded if len(readable) == 2 else self._native.pixels
        caption: Caption = json.loads(call(*readable, beam, max_tokens))
        return caption

    def __reduce__(self) -> Tuple[Any, ...]:
        # Engines send the object to their workers: each loads its weights again.
        return (type(self).load, (self._weights,))

    def __repr__(self) -> str:
        weights = self._weights
        which = "published weights" if weights is None else f"{len(weights)} bytes" if isinstance(weights, bytes) else weights
        return f"<soli_captioner.Captioner, {which}>"


def _options(beam: int, max_tokens: Optional[int]) -> Tuple[int, Optional[int]]:
    """The options as integers that lie in their ranges."""
    beam = operator.index(beam)
    if not 1 <= beam <= 8:
        raise ValueError(f"beam is {beam}, but must lie in 1..=8")
    if max_tokens is None:
        return beam, None
    max_tokens = operator.index(max_tokens)
    if max_tokens < 2:
        raise ValueError(f"max_tokens is {max_tokens}, but must be at least 2")
    # No caption is nearly as long, and the native side counts in 64 bits.
    return beam, min(max_tokens, 1 << 31)


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
