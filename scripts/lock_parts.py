"""Part one lock into four that share no package: `lock_parts.py BASE SERVER DEV ALL` writes `base.part`... beside ALL.

Each is a requirements file as uv writes it: a package's entry begins at the margin, its hashes are indented. An entry
belongs to the smallest part that names it; all four must agree on its version.
"""

from __future__ import annotations

import sys
from pathlib import Path

HEADS = {
    "base": "# Pinned by 'make lock': what making a video needs. Hashes for every platform, no addresses.",
    "server": "# Pinned by 'make lock': what `understudy serve` needs besides requirements.txt.",
    "dev": "# Pinned by 'make lock': what the learned matte, the tests and the build need besides the first two.",
    "gpu": "# Pinned by 'make lock': what the GPU engines need besides; torch: scripts/setup_gpu.sh.",
}


def main() -> None:
    files = [Path(argument) for argument in sys.argv[1:5]]
    taken: set[str] = set()
    whole = entries(files[-1].read_text(encoding="utf-8"))
    for (part, head), file in zip(HEADS.items(), files, strict=True):
        mine = entries(file.read_text(encoding="utf-8"))
        strange = sorted(set(mine) - set(whole))
        if strange:
            sys.exit(f"lock: {part} pins {', '.join(strange)}, which the whole does not")
        text = "".join(whole[name] for name in mine if name not in taken)
        taken |= set(mine)
        (files[-1].parent / f"{part}.part").write_text(f"{head}\n{text}", encoding="utf-8")


def entries(text: str) -> dict[str, str]:
    """Each entry's text by its requirement, as in ``av==18.1.0``; markers may differ from part to part."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            continue
        if not line[0].isspace():
            name = line.partition(" ")[0].strip()
            found[name] = ""
        found[name] += line
    return found


if __name__ == "__main__":
    main()
