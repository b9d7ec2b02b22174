"""A card in name alone: tensors that say they are on it, and are the processor's. Numbers are right, so that nothing
has to be stubbed for what depends on them, and what mixes tensors of the card with the processor's is an error, as on a
real one.

Its name is PyTorch's ``meta``, for that is the one device that every build has a guard for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CARD = torch.device("meta")
_aten, _tensor = torch.ops.aten, torch.tensor
# Copies go between devices; indices may be the processor's (each is a wait, though: none is expected here).
CROSSING = {_aten.copy_.default, _aten._to_copy.default}


class MisplacedError(RuntimeError):
    """What a real card answers with "Expected all tensors to be on the same device"."""


class OnCard(torch.Tensor):
    """A tensor that says it is on the card; ``held`` is the real one."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor, requires_grad: bool = False) -> OnCard:
        made: OnCard = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=CARD
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class NamedCard(TorchDispatchMode):
    """While it is entered, ``CARD`` is a device. Counts what was asked for as pinned."""

    def __init__(self) -> None:
        super().__init__()
        self.pinned = 0

    def __enter__(self) -> NamedCard:
        # Modules that are moved get new parameters: old ones cannot become the card's.
        self._overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch.tensor = self._tensor
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        torch.tensor = _tensor
        torch.__future__.set_overwrite_module_params_on_conversion(self._overwrites)

    @staticmethod
    def _tensor(numbers: Any, *, device: Any = None, **options: Any) -> torch.Tensor:
        """PyTorch has no numbers for ``meta``: so they are the processor's first."""
        made = _tensor(numbers, **options)
        return made if device is None else made.to(device)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        self.pinned += bool(kwargs.pop("pin_memory", False))
        return _run(func, args, kwargs)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    placed = {id(tensor.held): tensor for tensor in tensors if isinstance(tensor, OnCard)}
    astray = [tensor for tensor in tensors if not isinstance(tensor, OnCard) and tensor.dim() > 0]
    if placed and astray and func not in CROSSING:
        raise MisplacedError(f"{func}: on the card and on the processor")
    wanted = kwargs.get("device")
    on_card = bool(placed) if wanted is None else torch.device(wanted) == CARD
    if func is _aten.copy_.default:
        on_card = isinstance(args[0], OnCard)
    if wanted is not None:
        kwargs["device"] = "cpu"
    args, kwargs = tree_map(lambda leaf: leaf.held if isinstance(leaf, OnCard) else leaf, (args, kwargs))
    made = func(*args, **kwargs)

    def back(leaf: Any) -> Any:
        if not on_card or not isinstance(leaf, torch.Tensor):
            return leaf
        return (
            placed[id(leaf)] if id(leaf) in placed else OnCard(leaf)
        )  # the same where it was changed in place

    return tree_map(back, made)
