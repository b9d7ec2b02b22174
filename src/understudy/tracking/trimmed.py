"""A model file without the work behind outputs that nobody asks for.

TFLite runs every operator of a graph, also those whose results only an unread output needs. The file is a
FlatBuffer (tensorflow/lite/schema/schema.fbs); operators and outputs are lists in it that can be made shorter in
place, so nothing of it is written anew.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

# Places of fields in the schema's tables.
MODEL_SUBGRAPHS = 2
GRAPH_OUTPUTS, GRAPH_OPERATORS = 2, 3
OPERATOR_INPUTS, OPERATOR_OUTPUTS = 1, 2


def trimmed(model: bytes, without: Collection[int]) -> bytes:
    """The model without its outputs of these numbers, and without the operators that only they need.

    For a model of one graph. What is left computes the same numbers as before. Raises ValueError where the file is
    not such a model or has no such outputs.
    """
    file = _File(bytearray(model))
    try:
        (graph,) = file.tables(file.table(0), MODEL_SUBGRAPHS)
        outputs = file.numbers(graph, GRAPH_OUTPUTS)
        operators = file.tables(graph, GRAPH_OPERATORS)
        kept = [tensor for number, tensor in enumerate(outputs) if number not in without]
        if len(outputs) - len(kept) != len(set(without)) or not kept:
            raise ValueError(f"no outputs {sorted(without)} among {len(outputs)}")
        needed, wanted = set(kept), []
        for operator in reversed(operators):
            if needed.intersection(file.numbers(operator, OPERATOR_OUTPUTS)):
                needed.update(file.numbers(operator, OPERATOR_INPUTS))
                wanted.append(operator)
        file.shorten_numbers(graph, GRAPH_OUTPUTS, kept)
        file.shorten_tables(graph, GRAPH_OPERATORS, wanted[::-1])
    except (struct.error, IndexError) as error:
        raise ValueError("not a TFLite model") from error
    return bytes(file.held)


class _File:
    """A FlatBuffer: tables by their positions, lists of numbers and of tables."""

    def __init__(self, held: bytearray) -> None:
        self.held = held

    def table(self, at: int) -> int:
        """The table to which the offset at ``at`` points."""
        return at + self._unsigned(at)

    def numbers(self, table: int, field: int) -> list[int]:
        start, count = self._list(table, field)
        return list(struct.unpack_from(f"<{count}i", self.held, start))

    def tables(self, table: int, field: int) -> list[int]:
        start, count = self._list(table, field)
        return [self.table(start + 4 * k) for k in range(count)]

    def shorten_numbers(self, table: int, field: int, values: list[int]) -> None:
        start, _ = self._list(table, field)
        struct.pack_into(f"<I{len(values)}i", self.held, start - 4, len(values), *values)

    def shorten_tables(self, table: int, field: int, tables: list[int]) -> None:
        """Offsets count from where they stand, so each is made anew in its new place."""
        start, _ = self._list(table, field)
        offsets = [at - (start + 4 * k) for k, at in enumerate(tables)]
        struct.pack_into(f"<I{len(offsets)}I", self.held, start - 4, len(offsets), *offsets)

    def _list(self, table: int, field: int) -> tuple[int, int]:
        """Where a list's first entry stands, and how many there are; none where the field is absent."""
        layout = table - struct.unpack_from("<i", self.held, table)[0]
        (size,) = struct.unpack_from("<H", self.held, layout)
        slot = 4 + 2 * field
        (inside,) = struct.unpack_from("<H", self.held, layout + slot) if slot < size else (0,)
        if not inside:
            return 0, 0
        start = self.table(table + inside)
        return start + 4, self._unsigned(start)

    def _unsigned(self, at: int) -> int:
        return int(struct.unpack_from("<I", self.held, at)[0])
