"""A trimmed model computes the same, with less work; what is no model is told."""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from understudy.tracking.body import MASK, NAME
from understudy.tracking.network import Network
from understudy.tracking.trimmed import trimmed


def _model(operators: list[tuple[list[int], list[int]]], outputs: list[int]) -> bytes:
    """A graph of named connections alone: no weights, nothing that could run."""
    graph = schema.SubGraphT()
    graph.inputs, graph.outputs, graph.operators = [0], outputs, []
    for inputs, made in operators:
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = inputs, made
        graph.operators.append(operator)
    model = schema.ModelT()
    model.version, model.subgraphs = 3, [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _graph(model: bytes) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    read = schema.ModelT.InitFromPackedBuf(bytearray(model), 0).subgraphs[0]
    return [(list(o.inputs), list(o.outputs)) for o in read.operators], list(read.outputs)


BRANCHES = [([0], [1]), ([1], [2]), ([1], [3]), ([3], [4]), ([2, 1], [5])]


@pytest.mark.parametrize(
    ("without", "operators", "outputs"),
    [
        ((), BRANCHES, [4, 5]),
        ((0,), [BRANCHES[0], BRANCHES[1], BRANCHES[4]], [5]),
        ((1,), [BRANCHES[0], BRANCHES[2], BRANCHES[3]], [4]),
    ],
)
def test_only_the_work_of_the_outputs_kept_is_left(without, operators, outputs):
    assert _graph(trimmed(_model(BRANCHES, [4, 5]), without)) == (operators, outputs)


@pytest.mark.parametrize("without", [(2,), (0, 1), (-1,)])
def test_outputs_that_are_not_there_or_nothing_left_are_refused(without):
    with pytest.raises(ValueError, match="no outputs"):
        trimmed(_model(BRANCHES, [4, 5]), without)


@given(st.binary(max_size=200))
def test_what_is_no_model_is_refused(content):
    with pytest.raises(ValueError):
        trimmed(content, (0,))


def test_the_body_network_without_its_mask_gives_the_same_landmarks():
    whole, less = Network(NAME), Network(NAME, without=(MASK,))
    picture = np.random.default_rng(0).random(whole.input.shape, np.float32)
    whole.input[:] = picture
    less.input[:] = picture
    outputs = whole.run()
    del outputs[MASK]
    for one, other in zip(outputs, less.run(), strict=True):
        np.testing.assert_array_equal(one, other)
