"""Sound as featurizers read it: one channel of samples, read when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

__all__ = ["Audio", "Sound"]


class Audio(Protocol):
    """One channel of sound, read when it is asked for."""

    @property
    def sample_rate(self) -> int:
        """Samples per second, Hz."""
        ...

    @property
    def duration(self) -> float:
        """Length in seconds."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """What names the samples: equal for the same stretch of the same content, and for nothing else.

        None for sound that is drawn anew each time: what is computed of it is not worth keeping.
        """
        ...

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,), full scale at -1 and 1.

        DataError where they cannot be read or are no sound.
        """
        ...


@dataclass(frozen=True, eq=False)
class Sound:
    """An `Audio` of samples that an augmenter has made, float32 of shape (time,), full scale at -1 and 1."""

    wave: NDArray[float32]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.wave) / self.sample_rate

    @property
    def fingerprint(self) -> None:
        """None: nothing keeps what is computed of it."""
        return

    def samples(self) -> NDArray[float32]:
        """Return the samples."""
        return self.wave
