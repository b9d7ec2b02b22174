"""Interlaced frames made whole: two half pictures of different moments would show every limb twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

# One frame out for each in, with its time; frames that are not interlaced pass as they are.
FILTER, OPTIONS = "yadif", "mode=send_frame:deint=interlaced"


def deinterlaced(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The same frames in order; from the first interlaced one on they go through the filter."""
    graph: Graph | None = None
    kind: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        now = (frame.width, frame.height, frame.format.name)
        if now != kind:
            if graph is not None:
                yield from _pulled(graph, last=True)
            graph, kind = _graph(frame), now
        if graph is None:
            yield frame
            continue
        with suppress(av.error.FFmpegError):  # a frame that the filter does not take is left out
            graph.vpush(frame)
        yield from _pulled(graph)
    if graph is not None:
        yield from _pulled(graph, last=True)


def _graph(frame: VideoFrame) -> Graph | None:
    """None where the filter cannot read such pixels: the frames then stay as they are."""
    graph = Graph()
    graph.threads = 1
    try:
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        graph.link_nodes(source, graph.add(FILTER, OPTIONS), graph.add("buffersink")).configure()
    except (av.error.FFmpegError, ValueError):
        return None
    return graph


def _pulled(graph: Graph, *, last: bool = False) -> Iterator[VideoFrame]:
    if last:
        graph.vpush(None)
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
