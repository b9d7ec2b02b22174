"""Confinement, tried from inside: what a process cannot do any more, one barrier at a time."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from understudy.tasks import landlock, sandbox, seccomp
from understudy.tasks.sandbox import MB, Confinement, environment

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these barriers")
TRY = """
import errno
def tried(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""
BARRIERS = {  # what switches each of them off
    "network namespace": "sandbox._leave_network = lambda: None",
    "landlock": "sandbox.landlock.restrict = lambda *_: 0",
    "seccomp": "sandbox.seccomp.restrict = lambda: None",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "data" / "work" / "a task"
    work.mkdir(parents=True)
    (tmp_path / "data" / "secret.key").write_text("secret")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model").write_text("model")
    (tmp_path / "other").write_text("other")
    return work


def kept(folder: Path, **changed: Any) -> dict[str, Any]:
    data = folder.parents[1]
    wanted = Confinement(
        folder=str(folder),
        readable=(str(data.parent / "models"),),
        hidden=(str(data),),
        memory_mb=1024,
        cpu_s=60,
        parent=os.getpid(),
    )
    return {**asdict(wanted), **changed}


def inside(
    folder: Path, script: str, *, first: str = "", only: str | None = None, **changed: Any
) -> tuple[list[str], Any]:
    """What is missing, and what ``script`` leaves in ``told``, in a confined process; with one barrier ``only``.
    ``first`` runs before the confinement."""
    off = [line for name, line in BARRIERS.items() if only is not None and name != only]
    lines = [
        "import json, os, socket, sys",
        "from understudy.tasks import sandbox",
        *off,
        first,
        f"missing = sandbox.confine(sandbox.Confinement(**{kept(folder, **changed)!r}))",
        TRY,
        "told = None",
        script,
        "print(json.dumps([missing, told]))",
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment(folder, folder, 1),
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    missing, told = json.loads(done.stdout)
    return missing, told


def skip_without(missing: list[str], barrier: str) -> None:
    if any(name.lower().startswith(barrier) for name in missing):
        pytest.skip(f"this system has no {barrier}")


@linux
def test_files_elsewhere_cannot_be_read_written_or_listed(folder: Path) -> None:
    data = folder.parents[1]
    (folder.parent / "another task").mkdir()
    (folder.parent / "another task" / "image").write_text("theirs")
    places = {
        "secret": data / "secret.key",
        "another task": folder.parent / "another task" / "image",
        "elsewhere": data.parent / "other",
        "password": Path("/etc/passwd"),
        "test": Path(__file__),
        "parent's environment": Path(f"/proc/{os.getpid()}/environ"),
        "parent's memory": Path(f"/proc/{os.getpid()}/mem"),
    }
    missing, told = inside(
        folder,
        f"""
places = { ({name: str(path) for name, path in places.items()})!r}
told = {{name: tried(open, path) for name, path in places.items()}}
told["list data"] = tried(os.listdir, {str(data)!r})
told["list temporary"] = tried(os.listdir, "/tmp")
told["write data"] = tried(open, {str(data / "new")!r}, "w")
told["write models"] = tried(open, {str(data.parent / "models" / "model")!r}, "r+")
told["write temporary"] = tried(open, "/tmp/understudy-was-here", "w")
told["write package"] = tried(open, sandbox.__file__, "r+")
told["delete"] = tried(os.unlink, {str(data.parent / "other")!r})
told["link to secret"] = tried(os.link, {str(data / "secret.key")!r}, "mine")
told["symlink"] = tried(os.symlink, {str(data / "secret.key")!r}, "mine")
told["pipe"] = tried(os.mkfifo, "pipe")
""",
    )
    skip_without(missing, "landlock")
    assert told.pop("link to secret") in ("EACCES", "EXDEV")
    assert told == dict.fromkeys(told, "EACCES")
    assert (data.parent / "other").is_file()


@linux
def test_what_the_work_needs_it_can(folder: Path) -> None:
    missing, told = inside(
        folder,
        """
import tempfile, threading
told = []
with open("made", "wb") as file:
    file.write(b"x" * 100)
os.rename("made", "renamed")
os.makedirs("deep/er")
os.rmdir("deep/er")
with open("renamed", "r+b") as file:
    file.truncate(10)
told.append(os.path.getsize("renamed"))
with tempfile.NamedTemporaryFile() as file:
    told.append(os.path.dirname(file.name) == os.getcwd())
os.unlink("renamed")
told.append(open("../../../models/model").read())
import numpy, cv2, av, understudy.animate
told.append(float(numpy.linalg.inv(numpy.eye(300)).sum()))
thread = threading.Thread(target=lambda: told.append("thread"))
thread.start()
thread.join()
told.append(len(os.urandom(8)))
open("/dev/null", "w").close()
""",
        readable=(str(folder.parents[2] / "models"),),
    )
    assert told == [10, True, "model", 300.0, "thread", 8], missing


@linux
def test_what_is_hidden_stays_so_inside_of_what_python_reads(folder: Path, tmp_path: Path) -> None:
    """The data folder may lie beside modules: below /usr, or below a folder on the search path."""
    apps = tmp_path / "apps"
    (apps / "package").mkdir(parents=True)
    (apps / "package" / "__init__.py").write_text("word = 'imported'")
    (apps / "var" / "data").mkdir(parents=True)
    (apps / "var" / "data" / "secret.key").write_text("secret")
    (apps / "var" / "beside").write_text("beside")
    (apps / "var" / "way").symlink_to("data")
    missing, told = inside(
        folder,
        f"""
import package
told = [
    package.word,
    tried(open, {str(apps / "var" / "beside")!r}),
    tried(open, {str(apps / "var" / "data" / "secret.key")!r}),
    tried(open, {str(apps / "var" / "way" / "secret.key")!r}),
]
""",
        first=f"sys.path.append({str(apps)!r})",
        hidden=(str(apps / "var" / "data"),),
        readable=(),
    )
    skip_without(missing, "landlock")
    assert told[0] == "imported"
    assert told[2:] == ["EACCES", "EACCES"]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A TCP port on loopback, and a socket that is a file, both listening."""
    path = str(tmp_path / "socket")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        yield tcp.getsockname()[1], path


REACH = """
def reach(kind, family, address):
    with socket.socket(family, kind) as opened:
        opened.connect(address)
        if kind == socket.SOCK_DGRAM:
            opened.send(b"x")
told = {{
    "tcp": tried(reach, socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", {port})),
    "udp": tried(reach, socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", 53)),
    "unix": tried(reach, socket.SOCK_STREAM, socket.AF_UNIX, {path!r}),
}}
"""


@linux
@pytest.mark.parametrize(
    ("only", "closed"),
    [
        (None, {"tcp", "udp", "unix"}),
        ("network namespace", {"tcp", "udp"}),
        ("landlock", {"tcp"}),
        ("seccomp", {"tcp", "udp", "unix"}),
    ],
)
def test_no_network(folder: Path, listening: tuple[int, str], only: str | None, closed: set[str]) -> None:
    port, path = listening
    missing, told = inside(folder, REACH.format(port=port, path=path), only=only)
    skip_without(missing, {"network namespace": "no network"}.get(only or "", only or "seccomp"))
    if only == "landlock" and landlock.version() < landlock.NET_VERSION:
        pytest.skip("this kernel's Landlock knows no TCP")
    refused = {"EACCES", "EPERM", "ENETUNREACH", "EADDRNOTAVAIL"}
    assert {name for name, code in told.items() if code in refused} == closed


def test_without_barriers_the_network_is_there(folder: Path, listening: tuple[int, str]) -> None:
    """The test above fails for the barriers, not for something else."""
    port, path = listening
    _, told = inside(folder, REACH.format(port=port, path=path), only="none")
    assert (told["tcp"], told["unix"]) == ("done", "done")


@linux
def test_no_process_can_be_started_or_reached(folder: Path) -> None:
    missing, told = inside(
        folder,
        f"""
import ctypes, signal, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
told = {{
    "fork": tried(os.fork),
    "exec": tried(os.execv, "/bin/true", ["true"]),
    "spawn": tried(subprocess.run, ["/bin/true"]),
    "kill": tried(os.kill, {os.getpid()}, 0),
    "leave group": tried(os.setsid),
    "io_uring": tried(call, 425, 1, 0),
    "trace": tried(lambda: libc.ptrace(16, {os.getpid()}, 0, 0) and call(-1)),
}}
""",
    )
    skip_without(missing, "seccomp")
    assert told.pop("trace") in ("EPERM", "ENOSYS")
    assert told == dict.fromkeys(told, "EPERM")


@linux
def test_it_can_still_abort(folder: Path) -> None:
    script = f"""
import os
from understudy.tasks import sandbox
sandbox.confine(sandbox.Confinement(**{kept(folder)!r}))
os.abort()
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=folder, stderr=subprocess.DEVNULL, check=False
    )
    assert done.returncode == -signal.SIGABRT


def test_too_much_processor_time_is_told_apart(folder: Path) -> None:
    script = f"""
from understudy.tasks import sandbox
sandbox.confine(sandbox.Confinement(**{kept(folder, cpu_s=1)!r}))
while True:
    pass
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], check=False)
    assert done.returncode == -signal.SIGXCPU


@linux
def test_limits_and_privileges(folder: Path) -> None:
    missing, told = inside(
        folder,
        """
import resource
kinds = ("CORE", "CPU", "FSIZE", "NOFILE", "DATA")
told = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in kinds}
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
told |= {name: status[name].strip() for name in ("NoNewPrivs", "CapEff", "CapPrm")}
try:
    bytearray(2 * 2**30)
    told["memory"] = "had"
except MemoryError:
    told["memory"] = "refused"
def raised():
    resource.setrlimit(resource.RLIMIT_DATA, (2**40, 2**40))
try:
    raised()
    told["raised"] = True
except (OSError, ValueError):
    told["raised"] = False
""",
    )
    assert not [each for each in missing if each.startswith("limit on ")]
    most_files = min(256, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert told["CORE"] == [0, 0]
    assert told["CPU"][0] == 60
    assert told["FSIZE"] == [4 * 2**30] * 2
    assert told["NOFILE"] == [most_files] * 2
    assert told["DATA"] == [1024 * MB] * 2
    assert told["NoNewPrivs"] == "1"
    assert int(told["CapEff"], 16) | int(told["CapPrm"], 16) in (0, 0b110)
    assert told["memory"] == "refused"
    assert not told["raised"]


def test_no_secret_is_in_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_SECRET_KEY", "UNDERSTUDY_DATABASE_URL", "HTTPS_PROXY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hush")
    told = environment(folder, Path("/models"), 3)
    assert "hush" not in told.values()
    assert not {"PATH", "HOME", "USER"} & set(told)
    assert told["UNDERSTUDY_MODELS_DIR"] == "/models"
    assert told["TMPDIR"] == str(folder)
    assert (told["OMP_NUM_THREADS"], told["OPENBLAS_NUM_THREADS"]) == ("3", "1")
    _, seen = inside(folder, "told = dict(os.environ)")
    assert "hush" not in seen.values()


@linux
def test_what_is_missing_is_told_and_the_work_goes_on(folder: Path) -> None:
    old = """
def broken(*_):
    raise OSError(38, "Function not implemented")
sandbox.landlock.version = broken
sandbox.seccomp.platform.machine = lambda: "sparc"
sandbox._prctl = broken
sandbox._leave_network = broken
sandbox.resource.setrlimit = broken
"""
    missing, told = inside(folder, "told = 'worked'", first=old)
    assert told == "worked"
    assert [each for each in missing if not each.startswith("limit on ")] == [
        f"{name} (Function not implemented)"
        for name in ("no network namespace", "no_new_privs", "Landlock", "death with the parent", "seccomp")
    ]
    assert len(missing) == 5 + 5


def test_it_dies_with_the_pipe(folder: Path) -> None:
    script = "import time; from understudy.tasks.sandbox import die_with; die_with(0); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"anything else is passed over\n")
        process.stdin.flush()
        time.sleep(0.5)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(5) == -signal.SIGKILL


def is_dead(pid: int) -> bool:
    try:
        return "zombie" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@linux
def test_it_dies_with_its_parent_without_any_pipe(folder: Path) -> None:
    child = f"""
import os, time
from understudy.tasks import sandbox
sandbox.confine(sandbox.Confinement(**{{**{kept(folder)!r}, "parent": os.getppid()}}))
print(os.getpid(), flush=True)
time.sleep(60)
"""
    parent = f"""
import subprocess, sys
subprocess.run([sys.executable, "-P", "-c", {child!r}])
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
    deadline_s = time.monotonic() + 5
    while not is_dead(pid):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@linux
def test_it_does_not_begin_where_its_parent_died_first(folder: Path) -> None:
    script = f"""
from understudy.tasks import sandbox
sandbox.confine(sandbox.Confinement(**{kept(folder, parent=1)!r}))
print("began")
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_the_filter_is_whole() -> None:
    """Each step is eight bytes, no jump leads out of the program, and what is refused differs by architecture."""
    for table in (seccomp.X86_64, seccomp.ARM64):
        program = seccomp._program(table, 4711)
        steps = [program[i : i + 8] for i in range(0, len(program), 8)]
        assert len(program) % 8 == 0
        for index, step in enumerate(steps):
            code, true, false = int.from_bytes(step[:2], sys.byteorder), step[2], step[3]
            if code != seccomp.RETURN:
                assert index + 1 + max(true, false) < len(steps)
        assert int.from_bytes(steps[-1][4:], sys.byteorder) == seccomp.ALLOW
        assert len(table.refused) >= 38
        assert table.clone not in table.refused
        assert table.tgkill not in table.refused


def test_around_goes_no_way_twice(tmp_path: Path) -> None:
    hidden = tmp_path / "a" / "hidden"
    hidden.mkdir(parents=True)
    (tmp_path / "a" / "beside").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").mkdir()
    found = dict(sandbox._around(tmp_path, [hidden]))
    assert found == {
        tmp_path: False,
        tmp_path / "a": False,
        tmp_path / "a" / "beside": True,
        tmp_path / "b": True,
    }
    assert dict(sandbox._around(tmp_path / "b", [hidden])) == {tmp_path / "b": True}
    assert dict(sandbox._around(hidden / "venv", [hidden])) == {hidden / "venv": True}
    assert dict(sandbox._around(hidden, [hidden])) == {}
