"""Links that end, links to uploads, and what an address is told to be."""

from __future__ import annotations

import time

import pytest

from understudy.server.links import Links

LINKS = Links("https://m.example/base/", [b"new", b"old"])
OLD = Links("https://m.example/base", [b"old"])
TASK = 9007199254740991


def parts(link: str) -> list[str]:
    return link.removeprefix("https://m.example/base/").split("/")


def test_a_link_that_ends() -> None:
    now = int(time.time())
    link = LINKS.make_until(TASK, "video", now + 60)
    folder, task, kind, signature, name = parts(link)
    assert (folder, task, kind, name) == ("files", str(TASK), "video", f"understudy-{TASK}.mp4")
    assert LINKS.check(TASK, "video", signature)
    assert not LINKS.check(TASK, "watermarked", signature)
    assert not LINKS.check(TASK - 1, "video", signature)
    second, _, rest = signature.partition(".")
    assert not LINKS.check(TASK, "video", f"{int(second) + 1}.{rest}")  # nobody prolongs it
    assert not LINKS.check(TASK, "video", rest)
    over = parts(LINKS.make_until(TASK, "video", now - 1))[3]
    assert not LINKS.check(TASK, "video", over)


def test_a_link_without_an_end_is_no_link_with_one() -> None:
    signature = parts(LINKS.make(TASK, "video"))[3]
    assert LINKS.check(TASK, "video", signature)
    assert not LINKS.check(TASK, "video", f"{int(time.time()) + 60}.{signature}")


def test_what_an_address_is() -> None:
    result, upload = LINKS.make(TASK, "video"), LINKS.upload(TASK, "a.png")
    assert LINKS.result_of(result) == LINKS.result_of(f"{result}?download=1#x") == (TASK, "video")
    assert LINKS.result_of(OLD.make(TASK, "watermarked")) == (TASK, "watermarked")
    assert LINKS.upload_of(upload) == LINKS.upload_of(OLD.upload(TASK, "b.mp4")) == TASK
    assert (LINKS.result_of(upload), LINKS.upload_of(result)) == (None, None)
    assert LINKS.leads_to_uploads(upload)
    assert not LINKS.leads_to_uploads(result)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://m.example/base",
        "https://elsewhere.example/base/files/1/video/x/y",
        "https://m.example/basement/uploads/1/x/y",
        "https://m.example.evil/base/uploads/1/x/y",
        f"https://m.example/base/uploads/{TASK}/AAAAAAAAAAAAAAAAAAAAAAAA/a.png",
        f"https://m.example/base/uploads/{TASK}/\u0661/a.png",
        f"https://m.example/base/files/{TASK}/video/AAAAAAAAAAAAAAAAAAAAAAAA/a.mp4",
        f"https://m.example/base/files/{'9' * 5000}/video/x/a.mp4",
        "https://m.example/base/uploads/../files/1/video/x/y",
        "\ud800",
    ],
)
def test_what_is_none_of_ours(address: str) -> None:
    assert LINKS.result_of(address) is None
    assert LINKS.upload_of(address) is None
