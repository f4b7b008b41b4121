"""Webhooks and their queue."""

from migrations import fourth_schema

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    fourth_schema.upgrade()


def downgrade() -> None:
    fourth_schema.downgrade()
