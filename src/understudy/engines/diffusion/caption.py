"""From a user's prompt to the text that a model was trained with.

Wan-Animate-2 knows captions of the reference image alone, in two parts and in Chinese: what the character looks like,
without actions, then the background (the README of its authors, github.com/Wan-Video/Wan-Animate-2, has the form and an
example; Apache-2.0). Motion comes from the driving video. Words of other languages go in as they are: its text encoder,
umT5, reads a hundred of them. Wan2.2-Animate-14B has one sentence for every video (github.com/Wan-Video/Wan2.2).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate

from understudy.request import Orientation, Scene

APPEARANCE, BACKGROUND = "人物外观描述：", "背景描述："
LIKE_REFERENCE = "人物与参考图中的人物一致，面部、发型、服装和配饰均保持不变。"
SAME_BACKGROUND = "背景与参考图中的背景一致。"
SAME_VIEW = "画面视角和人物朝向与参考图一致。"
IN_A_VIDEO = "视频中的人在做动作"

# Of the 512 tokens that the text encoder takes, as far as characters tell: the rest is for labels and our sentences.
APPEARANCE_TOKENS, BACKGROUND_TOKENS, WHOLE_TOKENS = 290, 130, 460
LATIN_TOKENS, OTHER_TOKENS, RARE_TOKENS = 0.3, 1.0, 4.0  # of one character; rare ones are written in bytes
WORD = 30  # characters that are given up at most to end between two words

_LABEL = re.compile(
    r"(?P<appearance>人物外观描述|(?:\bcharacter(?:'s)?\s+)?\bappearance(?:\s+description)?)\s*[:：]"
    r"|(?:背景描述|\bbackground(?:\s+description)?)\s*[:：]",
    re.IGNORECASE,
)
_ENDS = ".。!！?？…"
_BETWEEN = " ;；,，"


def caption(prompt: str, orientation: Orientation, scene: Scene) -> str:
    """The text for the model of that ``scene``: never empty, of one line, and short enough to be read whole.

    A prompt in the authors' form stays as it is; one in the form ``appearance: ...; background: ...`` is put into it,
    any other is taken for the appearance. With the orientation IMAGE a sentence asks for the picture's own viewpoint:
    plain words, whose effect is not measured. The viewpoint control of the paper (arXiv 2608.06009) answers to words
    such as "right 60-degree view" through a LoRA that was not published with the weights.
    """
    words = _plain(prompt)
    if scene is Scene.VIDEO:
        return _cut(words, WHOLE_TOKENS) or IN_A_VIDEO
    appearance, background = _parts(words)
    view = SAME_VIEW if orientation is Orientation.IMAGE and not words.startswith(APPEARANCE) else ""
    return (
        f"{APPEARANCE}{_sentence(_cut(appearance, APPEARANCE_TOKENS)) or LIKE_REFERENCE}"
        f"{BACKGROUND}{_sentence(_cut(background, BACKGROUND_TOKENS)) or SAME_BACKGROUND}{view}"
    )


def unread(prompt: str, scene: Scene) -> int:
    """How many characters of the prompt are more than the caption has room for."""
    words = _plain(prompt)
    if scene is Scene.VIDEO:
        return len(words) - len(_cut(words, WHOLE_TOKENS))
    limits = zip(_parts(words), (APPEARANCE_TOKENS, BACKGROUND_TOKENS), strict=True)
    return sum(len(text) - len(_cut(text, tokens)) for text, tokens in limits)


def _plain(prompt: str) -> str:
    """Without what is no text: controls, halves of surrogate pairs, runs of spaces."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in prompt)
    return " ".join(kept.split())


def _parts(words: str) -> tuple[str, str]:
    """What is said of appearance and background; what stands before any label is appearance."""
    parts: dict[bool, list[str]] = {True: [], False: []}
    of_appearance, at = True, 0
    for label in _LABEL.finditer(words):
        parts[of_appearance].append(words[at : label.start()])
        of_appearance, at = label["appearance"] is not None, label.end()
    parts[of_appearance].append(words[at:])
    appearance, background = (
        " ".join(part.strip(_BETWEEN) for part in parts[side]) for side in (True, False)
    )
    return appearance.strip(), background.strip()


def _sentence(text: str) -> str:
    return text if not text or text[-1] in _ENDS else f"{text}。"


def _cut(text: str, tokens: float) -> str:
    """As much of the text as that many tokens hold, by a careful guess, to the end of a word where that is near."""
    spent = accumulate(map(_tokens, text))
    fitting = next((at for at, cost in enumerate(spent) if cost > tokens), len(text))
    if fitting == len(text):
        return text
    space = text.rfind(" ", max(0, fitting - WORD), fitting + 1)
    return text[: space if space > 0 else fitting].rstrip(_BETWEEN)


def _tokens(character: str) -> float:
    if character.isascii():
        return LATIN_TOKENS
    return OTHER_TOKENS if ord(character) < 0x10000 else RARE_TOKENS
