"""Whether an error says that memory did not suffice, and whose: told without torch."""

from __future__ import annotations

from enum import StrEnum

# In words of PyTorch's allocator for the processor; of CUDA's for memory that a card copies from; of the libraries of
# matrix products and convolutions.
MACHINES = ("can't allocate memory", "not enough memory")
CARDS = ("CUDA error: out of memory", "_ALLOC_FAILED", "_ALLOCATION_FAILED")


class Shortage(StrEnum):
    CARD = "card"
    MACHINE = "machine"


def shortage(error: BaseException) -> Shortage | None:
    """None: it says something else. torch.OutOfMemoryError is known by its name."""
    told = str(error)
    if isinstance(error, MemoryError) or any(words in told for words in MACHINES):
        return Shortage.MACHINE
    if type(error).__name__ == "OutOfMemoryError" or any(words in told for words in CARDS):
        return Shortage.CARD
    return None
