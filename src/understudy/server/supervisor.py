"""The process that ``understudy serve`` is: it starts Postgres, the API and the worker, and keeps them up.

It opens no request, no file of a stranger and no connection but to look whether all is up, so that it has next to
nothing to die of. It owns the listening socket: clients that connect while the API is started again wait, and are not
refused.
"""

from __future__ import annotations

import http.client
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

from understudy.config import Settings
from understudy.engines.registry import engine_named
from understudy.errors import RequestError, SettingError, UnavailableError
from understudy.request import Matting
from understudy.server.first_start import FirstKeys, first_start
from understudy.server.listening import listening, reachable
from understudy.server.offered import offered_by
from understudy.server.parent import start_child
from understudy.server.signals import Signals, Stop
from understudy.server.supervised import Supervised, log
from understudy.storage import open_storage
from understudy.tasks.database import migrate
from understudy.tasks.device import needs_gpu
from understudy.tasks.gpus import gpus_of
from understudy.tasks.postgres import EmbeddedPostgres
from understudy.tasks.seal import FILE_NAME as SECRET_FILE
from understudy.tasks.seal import Secrets
from understudy.terminal import say

HEALTH_PATH = "/understudy/v1/health"
API_PAGE_PATH = "/understudy/v1/docs"
TICK_S = 0.5
COMING_UP_TICK_S = 0.05
STOP_S = 15.0
VAIN_STARTS = 5  # short lives of a process, before all has been up once, after which the start has failed
LATER_S = 1.0  # between two looks at a Postgres that is not ours, and two tries to start ours


class Supervisor:
    """Keeps processes up until it is asked to stop. ``postgres`` is None where the database is somebody else's."""

    def __init__(
        self, signals: Signals, postgres: EmbeddedPostgres | None, children: Sequence[Supervised]
    ) -> None:
        self._signals = signals
        self._postgres = postgres
        self._children = children
        self._look_at_postgres = 0.0

    def come_up(self, health: tuple[str, int] | None) -> None:
        """Until the API, where there is one, answers. Raises UnavailableError where a process ends again and again."""
        while not self._signals.asked:
            self._tend()
            if health is None or _answers(*health):
                return
            for child in self._children:
                if child.short_lives >= VAIN_STARTS:
                    raise UnavailableError(
                        "unavailable",
                        f"{child.name} does not start: it ended {VAIN_STARTS} times.",
                        fix="See what it said above.",
                    )
            self._signals.wait(COMING_UP_TICK_S)

    def keep_up(self) -> None:
        while not self._signals.asked:
            self._tend()
            due = [child.due_s for child in self._children]
            self._signals.wait(min([TICK_S, *(due_s for due_s in due if due_s is not None)]))

    def stop(self) -> None:
        """End the children, then Postgres. Whoever asks once more has them killed."""
        asked, give_up = self._signals.asked, time.monotonic() + STOP_S
        for child in self._children:
            child.send(signal.SIGTERM)
        while not all(child.gone() for child in self._children):
            if time.monotonic() > give_up or self._signals.asked > asked:
                for child in self._children:
                    child.send(signal.SIGKILL)
            self._signals.wait(0.1)
        if self._postgres is not None:
            self._postgres.stop()

    def _tend(self) -> None:
        if self._postgres is not None:
            self._tend_postgres(self._postgres)
        for child in self._children:
            child.tend()

    def _tend_postgres(self, postgres: EmbeddedPostgres) -> None:
        if postgres.owned and postgres.running:
            return
        if time.monotonic() < self._look_at_postgres:
            return
        if not postgres.running:
            log("Postgres is away; it is started again")
            try:
                with self._signals.breaking():
                    postgres.start()
            except (
                UnavailableError,
                SettingError,
            ) as error:  # a disk that is full, say: it may have room later
                log(error.message)
            except Stop:
                return
        self._look_at_postgres = time.monotonic() + LATER_S


def serve(settings: Settings, signals: Signals) -> None:
    """Run the whole service, until SIGTERM or SIGINT, which may have come already: while modules are loaded an
    exception in their place could get lost. Raises SettingError, UnavailableError."""
    if settings.work == "gpu":
        raise SettingError(
            "setting_invalid",
            "The setting work is gpu, but the service itself has to take tasks in, too.",
            value=settings.work,
            limit="all, cpu",
            fix="Leave work at all, or run `understudy worker --work gpu` besides.",
        )
    _check(settings)
    offered_by(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(listening(settings.host, settings.port))
        settings = replace(settings, port=listener.getsockname()[1])
        children = [
            Supervised(
                "The API process",
                lambda: start_child(
                    "understudy.server.api_process",
                    settings,
                    str(listener.fileno()),
                    pass_fds=(listener.fileno(),),
                ),
            ),
            Supervised("The worker", lambda: start_child("understudy.server.worker_process", settings)),
        ]
        postgres = None if settings.database_url else EmbeddedPostgres(settings.data_dir)
        supervisor = Supervisor(signals, postgres, children)
        with suppress(Stop):
            try:
                with signals.breaking():
                    settings = _with_database(settings, postgres)
                    first = first_start(settings)
                supervisor.come_up(reachable(listener))
                if not signals.asked:
                    _welcome(settings, first)
                supervisor.keep_up()
            finally:
                supervisor.stop()


def work(settings: Settings, signals: Signals) -> None:
    """Run a worker alone, on the database and the storage of a service that runs elsewhere, until SIGTERM or SIGINT.

    Raises SettingError, UnavailableError.
    """
    _check(settings)
    alone = settings.work == "gpu"
    if not alone and not settings.public_url:
        raise SettingError(
            "setting_missing",
            "A worker that runs alone needs the service's public URL: callbacks bring links to results.",
            fix="Give --public-url, the same as the service has.",
        )
    if (
        not alone
        and settings.database_url
        and not settings.secret_key
        and not (settings.data_dir / SECRET_FILE).exists()
    ):
        raise SettingError(
            "setting_missing",
            "A worker on another machine needs the service's secret.",
            fix=f"Set UNDERSTUDY_SECRET_KEY to the words in {SECRET_FILE} of the service's data folder.",
        )
    child = Supervised("The worker", lambda: start_child("understudy.server.worker_process", settings))
    postgres = None if settings.database_url else EmbeddedPostgres(settings.data_dir)
    supervisor = Supervisor(signals, postgres, [child])
    with suppress(Stop):
        try:
            with signals.breaking():
                settings = _with_database(settings, postgres)
            supervisor.come_up(None)
            _tell(f"The worker runs, {_at_once(settings)} at once. Ctrl-C stops it.")
            supervisor.keep_up()
        finally:
            supervisor.stop()


def _at_once(settings: Settings) -> str:
    gpus = len(gpus_of(settings))
    on_gpus = f"{gpus} on {gpus} GPUs" if gpus != 1 else "1 on 1 GPU"
    if settings.work == "gpu":
        return on_gpus
    return f"{settings.renders_at_once} and {on_gpus}" if gpus else str(settings.renders_at_once)


def _check(settings: Settings) -> None:
    """What would only fail later, in a child. Raises SettingError."""
    try:
        if not needs_gpu(settings.engine):  # what does may be done by a worker on another machine
            engine_named(settings.engine, matting=Matting(settings.matting))
    except RequestError as error:
        raise SettingError(
            error.code, error.message, value=error.value, limit=error.limit, fix=error.fix
        ) from error
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            "setting_invalid",
            f"The data folder {str(settings.data_dir)!r} cannot be made: {error.strerror}.",
            value=str(settings.data_dir),
            fix="Choose another with --data-dir or UNDERSTUDY_DATA_DIR.",
        ) from error
    open_storage(settings)
    if settings.work == "gpu":
        gpus_of(settings)


def _with_database(settings: Settings, postgres: EmbeddedPostgres | None) -> Settings:
    """The settings with the database's URL filled in, its tables up to date, and the service's secret made."""
    if settings.work != "gpu":
        Secrets.load(settings)
    url = settings.database_url if postgres is None else postgres.start()
    migrate(url)
    return replace(settings, database_url=url)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", HEALTH_PATH)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(settings: Settings, first: FirstKeys | None) -> None:
    lines = [
        f"Understudy serves at {settings.base_url}",
        f"  API page  {settings.base_url}{API_PAGE_PATH}",
        f"  data      {settings.data_dir}",
    ]
    if first is None:
        lines.append("  keys      `understudy keys create` makes new ones")
    else:
        lines.append(f"  keys      {first.path}")
        if sys.stdout.isatty():
            lines.append(f"            access key {first.keys.access_key}")
            lines.append(f"            secret key {first.keys.secret_key}")
            lines.append(f"            API key    {first.keys.api_key}")
    _tell("\n".join([*lines, "Ctrl-C stops it."]))


def _tell(text: str) -> None:
    with suppress(OSError, SystemExit):  # whoever read it has gone, which rich takes for a reason to end
        say(text)
