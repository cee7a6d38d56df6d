from typing import Optional, final

__all__ = ["Captioner", "PictureError", "WeightsError", "__version__"]
__version__: str

class PictureError(ValueError): ...
class WeightsError(ValueError): ...

@final
class Captioner:
    def __new__(cls, weights: Optional[bytes] = None) -> "Captioner": ...
    def encoded(
        self, name: str, data: bytes, beam: int, max_tokens: Optional[int], neutral: bool
    ) -> str: ...
    def pixels(
        self,
        width: int,
        height: int,
        channels: int,
        data: bytes,
        beam: int,
        max_tokens: Optional[int],
        neutral: bool,
    ) -> str: ...
