"""What an error says to somebody who sent a request, and has neither our command line nor our files."""

from __future__ import annotations

from understudy.errors import ClipError, PictureError, UnderstudyError

OPERATOR = "If it happens again, tell whoever runs this service."
MATTING_FIX = "Tell whoever runs this service to run `understudy models pull matting`, or to matte without."
GPU_FIX = "Tell whoever runs this service to ask `understudy engines` on it what is missing."
MODELS_FIX = "Tell whoever runs this service to run `understudy models pull tracker`."
CANNOT_WRITE = (
    "The video could not be written.",
    f"Try again later. {OPERATOR} The disk may be full.",
)
FULL = (
    "This server has no room on its disk for what the GPU makes.",
    f"Try again later. {OPERATOR} The disk may be full.",
)
WEIGHTS = ("The weights of the GPU's model are not whole on this server.", GPU_FIX)
NO_GPU = ("The GPU of this server cannot be used.", GPU_FIX)
MESSAGES: dict[str, tuple[str | None, str | None]] = {  # code: message and fix; None: as it was
    "picture_unreadable": ("The reference image cannot be opened.", f"Send it again. {OPERATOR}"),
    "clip_unreadable": ("The driving video cannot be opened.", f"Send it again. {OPERATOR}"),
    "clip_no_video": ("The driving video's file holds no video.", None),
    "character_not_found": (
        None,
        "Use a picture that shows one character from the front, head and shoulders at least, large and in full view, "
        "arms away from the body, before a plain background (or transparent).",
    ),
    "model_missing": ("A model file of the tracker is missing on this server.", MODELS_FIX),
    "model_corrupt": ("A model file of the tracker on this server is not the published one.", MODELS_FIX),
    "matting_missing": ("The network that cuts characters out is missing on this server.", MATTING_FIX),
    "matting_corrupt": ("The network that cuts characters out is not the published one.", MATTING_FIX),
    "matting_failed": ("The network that cuts characters out does not run on this server.", MATTING_FIX),
    "encode_failed": CANNOT_WRITE,
    "output_folder": CANNOT_WRITE,
    "output_unwritable": CANNOT_WRITE,
    "segments_unwritable": FULL,
    "segments_room": FULL,
    "engine_failed": (None, f"Try another picture or video. {OPERATOR}"),
    "assignment_invalid": ("What the GPU was to make got lost on its way.", f"Try again later. {OPERATOR}"),
    "engine_unavailable": ("The engine cannot work on this server.", GPU_FIX),
    "weights_missing": WEIGHTS,
    "weights_partial": WEIGHTS,
    "weights_corrupt": WEIGHTS,
    "gpu_missing": NO_GPU,
    "gpu_packages_missing": NO_GPU,
    "gpu_plan": NO_GPU,
    "gpu_memory": (
        "The memory of this server's GPU does not suffice for a video of this size.",
        "Take the mode std, or a picture that is less wide or less high.",
    ),
}
SUBJECTS = {
    PictureError: ("The picture", "The reference image"),
    ClipError: ("The video", "The driving video"),
}


def for_the_sender(error: UnderstudyError) -> UnderstudyError:
    """The same error, told of the reference image and the driving video, without options or paths."""
    message, fix = MESSAGES.get(error.code, (None, None))
    said = error.message
    for kind, (short, full) in SUBJECTS.items():
        if isinstance(error, kind) and said.startswith(short):
            said = full + said[len(short) :]
    ours = message is not None
    return type(error)(
        error.code,
        message or said,
        value=None if ours else error.value,
        limit=None if ours else error.limit,
        fix=fix or error.fix,
    )
