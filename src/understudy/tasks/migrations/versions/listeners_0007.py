"""Which queues workers look into; and a queue for each scene of a GPU's engine instead of one for all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "listeners",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("worker", "queue"),
    )
    op.execute(
        """
        UPDATE procrastinate_jobs job
           SET queue_name = 'render-' || task.engine || '-' || task.scene,
               task_name = 'render-' || task.engine || '-' || task.scene
          FROM tasks task
         WHERE job.queue_name = 'render-gpu' AND task.id = (job.args->>'id')::bigint
        """
    )


def downgrade() -> None:
    op.execute(
        """
        UPDATE procrastinate_jobs
           SET queue_name = 'render-gpu', task_name = 'render-gpu'
         WHERE starts_with(queue_name, 'render-')
        """
    )
    op.drop_table("listeners")
