"""What is around a task's character, and the seed that it was given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("scene", sa.Text(), server_default="image", nullable=False))
    op.add_column("tasks", sa.Column("seed", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("tasks", "seed")
    op.drop_column("tasks", "scene")
