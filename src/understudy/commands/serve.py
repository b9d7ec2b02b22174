"""``understudy serve`` and ``understudy worker``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from understudy.commands import SERVER_PACKAGES, server_missing
from understudy.commands.opening import DatabaseOption, DataDirOption
from understudy.config import Settings, keep_data_in
from understudy.server.signals import Signals

StorageOption = Annotated[
    str | None,
    typer.Option("--storage-url", help="Where files go: s3://bucket/prefix, gs://..., az://..."),
]
NetworksOption = Annotated[
    str | None,
    typer.Option("--allow-networks", help="Networks to fetch from besides the public ones: 10.0.0.0/8,..."),
]
EngineOption = Annotated[str | None, typer.Option("--engine", help="How videos are made.")]
EnginesOption = Annotated[
    str | None,
    typer.Option(
        "--engines", help="Which a task may name: puppet,wan-animate,...; else those that work here."
    ),
]
MattingOption = Annotated[
    str | None, typer.Option("--matting", help="How characters are cut out: own, or learned by a network.")
]
WorkOption = Annotated[
    str | None,
    typer.Option("--work", help="all that this machine can do; cpu: no GPU's tasks; gpu: those alone."),
]
GpusOption = Annotated[
    str | None, typer.Option("--gpus", help="Which GPUs: 0,1,...; else all that are there.")
]
ConcurrencyOption = Annotated[
    int | None, typer.Option("--concurrency", help="Videos made at once; 0: one for every two cores.")
]
ThreadsOption = Annotated[int | None, typer.Option("--threads", help="Processor threads of one video.")]
TimeoutOption = Annotated[
    int | None, typer.Option("--render-timeout-s", help="Seconds after which a video is given up.")
]
MemoryOption = Annotated[
    int | None, typer.Option("--render-memory-mb", help="Memory that making one video may take.")
]
DaysOption = Annotated[int | None, typer.Option("--result-days", help="Days for which results are kept.")]


PublicOption = Annotated[str | None, typer.Option("--public-url", help="What links to results are built on.")]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default 8000, 0 for any free one.")] = None,
    public_url: PublicOption = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
    storage_url: StorageOption = None,
    allow_networks: NetworksOption = None,
    result_links: Annotated[
        str | None, typer.Option("--result-links", help="signed, or data for data: URLs.")
    ] = None,
    result_days: DaysOption = None,
    dialects: Annotated[
        str | None,
        typer.Option("--dialects", help="Protocols spoken besides Understudy's own: kling,...; else all."),
    ] = None,
    maintenance: Annotated[
        str | None, typer.Option("--maintenance", help="on: no new tasks are taken; those accepted go on.")
    ] = None,
    engine: EngineOption = None,
    engines: EnginesOption = None,
    matting: MattingOption = None,
    work: WorkOption = None,
    gpus: GpusOption = None,
    concurrency: ConcurrencyOption = None,
    threads: ThreadsOption = None,
    render_timeout_s: TimeoutOption = None,
    render_memory_mb: MemoryOption = None,
) -> None:
    """Serve the API: with a worker, and with a Postgres and a folder of its own unless others are named.

    Every option is also a variable (--public-url: UNDERSTUDY_PUBLIC_URL) and a line of understudy.toml in the data
    folder.
    """
    settings = _settings(locals())
    with Signals().heeded() as signals:
        from understudy.server.supervisor import serve as run

        run(settings, signals)


def worker(
    public_url: PublicOption = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseOption = None,
    storage_url: StorageOption = None,
    allow_networks: NetworksOption = None,
    result_days: DaysOption = None,
    engine: EngineOption = None,
    matting: MattingOption = None,
    work: WorkOption = None,
    gpus: GpusOption = None,
    concurrency: ConcurrencyOption = None,
    threads: ThreadsOption = None,
    render_timeout_s: TimeoutOption = None,
    render_memory_mb: MemoryOption = None,
) -> None:
    """Run one more worker, here or on another machine, for a service that `understudy serve` runs."""
    settings = _settings(locals())
    with Signals().heeded() as signals:
        from understudy.server.supervisor import work as run

        run(settings, signals)


def _settings(flags: dict[str, int | str | Path | None]) -> Settings:
    missing = [name for name, module in SERVER_PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise server_missing(missing)
    settings = Settings.load(flags)
    keep_data_in(settings.data_dir)  # what lacks models is refused here already, before any child is there
    return settings
