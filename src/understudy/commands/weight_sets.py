"""A GPU model's weights among the sets of models."""

from __future__ import annotations

from pathlib import Path

import typer

from understudy.commands.model_sets import Row
from understudy.engines.diffusion.presence import State, look, named
from understudy.engines.diffusion.weights import GB, WeightSet, shortcomings, weights_folder
from understudy.errors import ModelError, RequestError

MANY_DIGITS = 12  # of a commit, to show


class GpuSet:
    def __init__(self, weights: WeightSet) -> None:
        self.name = weights.name
        self._weights = weights

    def row(self) -> Row:
        found = look(self._weights)
        note = ""
        if found.state is not State.READY:
            try:
                weights_folder(self.name)
            except ModelError as error:
                note = error.fix
        elif short := shortcomings(self._weights):
            note = f"{' '.join(short)} Run `understudy models pull {self.name}`."
        return Row(
            self.name,
            found.state.value,
            found.here_bytes,
            found.size_bytes,
            self._weights.licences,
            self._weights.purpose,
            str(self._weights.folder),
            note,
            found.commits,
        )

    def pull(self, revision: str | None, source: Path | None) -> None:
        from understudy.engines.diffusion.pulling import pulling
        from understudy.terminal import say

        if source is not None and revision is not None:
            raise RequestError(
                "models_option",
                "A folder's weights are of whichever commit they are; --revision is for what the network brings.",
                value="--revision",
                fix="Give either --from or --revision.",
            )
        say(f"{self.name}, for {self._weights.purpose}")
        for licence in self._weights.licences:
            say(f"  licence  {licence}")
        with pulling(self._weights):
            if source is not None:
                self._bring(source)
            else:
                self._download(revision)
        say(f"  use it   understudy animate {self._weights.options}")

    def _download(self, revision: str | None) -> None:
        from understudy.engines.diffusion.hub import download, plan, room
        from understudy.terminal import progress_bar, say

        made = plan(self._weights, revision)
        for taken in made.manifest.taken:
            say(f"  from     huggingface.co/{taken.repo}, commit {taken.commit[:MANY_DIGITS]}")
        if made.moved:
            say(f"  note     {made.moved}")
        still, free = room(made)
        say(
            f"  size     {made.size_bytes / GB:.1f} GB in {len(made.manifest.facts)} files; "
            f"{still / GB:.1f} GB to download, {free / GB:.1f} GB free"
        )
        say(f"  to       {self._weights.folder}")
        try:
            with progress_bar() as progress:
                download(made, progress)
        except KeyboardInterrupt:
            typer.echo("Broken off. What has come stays: the same command goes on there.", err=True)
            raise
        say("  ready    every file has the checksum that the hub states")

    def _bring(self, source: Path) -> None:
        from understudy.engines.diffusion.brought import bring
        from understudy.terminal import progress_bar, say

        say(f"  from     {source}")
        with progress_bar() as progress:
            verdict = bring(self._weights, source, progress)
        said = f"{verdict.summed} of {verdict.files} files have the checksum that the hub states"
        say(f"  ready    {said if verdict.summed else 'by names, sizes and headers: no checksums are known'}")

    def verify(self) -> str:
        from understudy.engines.diffusion.verdict import verify
        from understudy.terminal import progress_bar

        with progress_bar() as progress:
            try:
                verdict = verify(self._weights, progress)
            except OSError as error:
                raise ModelError(
                    "weights_folder",
                    f"The weights {self.name} cannot be read: {error}.",
                    value=str(self._weights.folder),
                    fix="Check the folder's permissions and its disk.",
                ) from error
        if verdict.wrong:
            raise ModelError(
                "weights_corrupt",
                f"The weights {self.name} in {self._weights.folder} are damaged: {named(verdict.wrong)}.",
                value=named(verdict.wrong),
                fix=f"Run `understudy models pull {self.name}`. It downloads what is damaged once more.",
            )
        weights_folder(self.name)
        size = f"{verdict.files} files, {verdict.presence.here_bytes / GB:.1f} GB, in {self._weights.folder}"
        if verdict.summed == verdict.files:
            commits = ", ".join(commit[:MANY_DIGITS] for commit in verdict.presence.commits)
            return f"{size} have the checksums of commit {commits}"
        return (
            f"{size} are whole by their names, sizes and headers; {verdict.files - verdict.summed} have no known "
            f"checksum, since no pull of Understudy brought them (`understudy models pull {self.name}` asks the hub)"
        )

    def folder(self) -> Path:
        return weights_folder(self.name)
