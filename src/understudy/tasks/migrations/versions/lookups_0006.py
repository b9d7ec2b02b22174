"""Two indexes: an account's grants are few among its ledger's rows, and an engine's last videos among all tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index(
        "ledger_grants", "ledger", ["account_id", "id"], postgresql_where=sa.text("kind = 'grant'")
    )
    op.create_index(
        "tasks_took", "tasks", ["engine", "ended_at"], postgresql_where=sa.text("status = 'succeed'")
    )


def downgrade() -> None:
    op.drop_index("tasks_took", "tasks")
    op.drop_index("ledger_grants", "ledger")
