"""The face of a character: its landmarks, how they were found, and what of it can be believed to be there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from understudy.tracking.motion import Floats


@dataclass(frozen=True)
class FoundFace:
    """A face in pixels of its picture.

    ``mesh`` (468, 3) is in the published numbering of Face Mesh. Its eyes were seen; ``mouth`` tells whether its mouth
    was, which rests otherwise. ``by`` is a stable word: ``mesh`` (the network, where the body's head is),
    ``mesh_searched`` (the network, after a longer search), ``features`` (a template bent to eyes and mouth that were
    found by their looks), ``joints_file``. ``drawn`` tells that the eyes are spots on plain ground, dots or strokes;
    ``refitted`` that the network's mouth was moved to the picture's, so that its shape is no expression. ``human`` is
    False for a template: its lines are no person's.
    """

    mesh: Floats
    by: str
    mouth: bool = True
    drawn: bool = False
    refitted: bool = False

    @property
    def human(self) -> bool:
        return self.by in ("mesh", "mesh_searched")

    @property
    def bent(self) -> bool:
        """Whether the mouth's landmarks are laid upon a drawn one."""
        return self.refitted or not self.human

    def scaled(self, factor: float) -> FoundFace:
        return replace(self, mesh=self.mesh * factor)

    def moved(self, by: Floats) -> FoundFace:
        """The same by (2,) pixels further right and down."""
        mesh = self.mesh.copy()
        mesh[:, :2] += by
        return replace(self, mesh=mesh)


@dataclass(frozen=True)
class FaceHints:
    """What the user tells of a face, in pixels of the picture.

    ``eyes`` (2, 2) and ``mouth`` (2, 2) are the eyes' middles and the mouth's corners, the picture's left first;
    ``chin`` (2,). None where nothing is told.
    """

    eyes: Floats | None = None
    mouth: Floats | None = None
    chin: Floats | None = None

    def within(self, corner: Floats, factor: float) -> FaceHints:
        """The same in a cutting of the picture that begins at ``corner`` (2,) and is enlarged by ``factor``."""

        def placed(at: Floats | None) -> Floats | None:
            return None if at is None else np.asarray((at - corner) * factor, np.float32)

        return FaceHints(placed(self.eyes), placed(self.mouth), placed(self.chin))
