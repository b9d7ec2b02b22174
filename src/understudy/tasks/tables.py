"""What the database holds. Every change to a table needs a migration beside it (``migrations/versions``)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
UNITS = Numeric(14, 2)


def _time(name: str, *, null: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null)


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())


accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("concurrency_limit", Integer),  # null: none
    Column("balance", UNITS),  # units that can still be reserved; null: unlimited
    _now("created_at"),
    CheckConstraint("balance >= 0", name="accounts_balance"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("access_key", Text, nullable=False, unique=True),
    Column("secret_key_sealed", Text, nullable=False),  # sealed with the service's secret
    Column("api_key_sha256", Text, nullable=False, unique=True),
    _now("created_at"),
    _time("revoked_at"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("secret_sealed", Text, nullable=False),
    _now("created_at"),
    _time("expires_at"),  # null: the current one
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("external_task_id", Text),
    Column("dialect", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("image", JSONB, nullable=False),  # {"url": ...} or {"key": ...}
    Column("video", JSONB, nullable=False),
    Column("orientation", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("sound", Boolean, nullable=False),
    Column("watermark", Boolean, nullable=False),
    Column("prompt", Text, nullable=False, server_default=""),
    Column("callback_url", Text),
    Column("callback_at_end", Boolean, nullable=False, server_default=false()),
    Column("element_id", BigInteger),  # no foreign key: an element's record may go before the task's
    Column("views", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # keys
    Column("extra", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("matroska", Boolean, nullable=False, server_default=false()),
    Column("scene", Text, nullable=False, server_default="image"),
    Column("seed", BigInteger),  # null: the task's own
    Column("status", Text, nullable=False),
    Column("status_msg", Text, nullable=False, server_default=""),
    Column("error_code", Text),
    Column("fix", Text),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("reserved", UNITS, nullable=False),
    Column("deduction", UNITS),
    _now("created_at"),
    _now("updated_at"),
    _time("fetched_at"),
    _time("started_at"),
    _time("seen_at"),  # when the worker that has it last said so
    _time("ended_at"),
    Column("stage", Text),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("time_left_s", Float),
    Column("output", JSONB),
    _time("files_deleted_at"),
    _time("deleted_at"),  # by the account; the record stays for the ledger
    CheckConstraint("status IN ('submitted', 'processing', 'succeed', 'failed')", name="tasks_status"),
    CheckConstraint(
        "(status IN ('succeed', 'failed')) = (ended_at IS NOT NULL AND deduction IS NOT NULL)",
        name="tasks_end",
    ),
    UniqueConstraint("account_id", "external_task_id", name="tasks_external"),
    Index("tasks_listed", "account_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
    Index("tasks_live", "account_id", postgresql_where=text("ended_at IS NULL")),
    Index("tasks_purge", "ended_at", postgresql_where=text("files_deleted_at IS NULL")),
    Index("tasks_took", "engine", "ended_at", postgresql_where=text("status = 'succeed'")),
)

listeners = Table(  # which queues each worker looks into
    "listeners",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("at_once", Integer, nullable=False),  # jobs that it does so
    _now("seen_at"),
)

elements = Table(
    "elements",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, nullable=False, unique=True),  # of its making, which is none of ``tasks``
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("external_task_id", Text),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("reference_type", Text, nullable=False),
    Column(
        "sources", JSONB, nullable=False
    ),  # [{"url": ...} or {"key": ...}]: pictures, the frontal one first, or a video
    Column("voice_id", Text),
    Column("tags", JSONB, nullable=False),  # ids
    Column("callback_url", Text),
    Column("status", Text, nullable=False),
    Column("status_msg", Text, nullable=False, server_default=""),
    Column("error_code", Text),
    Column("fix", Text),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("views", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # keys
    _now("created_at"),
    _now("updated_at"),
    _time("ended_at"),
    _time("deleted_at"),
    CheckConstraint("status IN ('submitted', 'processing', 'succeed', 'failed')", name="elements_status"),
    CheckConstraint("reference_type IN ('image_refer', 'video_refer')", name="elements_reference"),
    UniqueConstraint("account_id", "external_task_id", name="elements_external"),
    Index("elements_listed", "account_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("name_sha256", Text, nullable=False),  # of the folder and file name that the account gave
    Column("key", Text, nullable=False),  # in the storage; another one each time the file is replaced
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    _now("uploaded_at"),
    _time("expires_at", null=False),
    UniqueConstraint("account_id", "name_sha256", name="uploads_name"),
    Index("uploads_purge", "expires_at"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id")),
    Column("kind", Text, nullable=False),  # see ledger.py
    Column("units", UNITS, nullable=False),  # what was added to the balance
    Column("note", Text, nullable=False, server_default=""),
    _now("at"),
    Index("ledger_task", "task_id"),
    Index("ledger_grants", "account_id", "id", postgresql_where=text("kind = 'grant'")),
    Index("ledger_settled_once", "task_id", unique=True, postgresql_where=text("kind = 'settle'")),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_sha256", Text, nullable=False),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    _now("created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("status", Text, nullable=False),  # the task's, which this delivery tells of
    Column("status_msg", Text, nullable=False, server_default=""),
    Column("status_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),  # pending, delivered, given_up, refused
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True)),
    _now("created_at"),
    _time("ended_at"),
    CheckConstraint("state IN ('pending', 'delivered', 'given_up', 'refused')", name="deliveries_state"),
    Index("deliveries_log", "account_id", "id"),
    Index("deliveries_pending", "next_at", postgresql_where=text("state = 'pending'")),
)

delivery_tries = Table(
    "delivery_tries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), nullable=False, index=True),
    _now("at"),
    Column("http_status", Integer),  # null: no answer
    Column("error", Text, nullable=False, server_default=""),
    Column("took_ms", Integer, nullable=False),
)
