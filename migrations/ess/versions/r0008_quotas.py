"""Quotas of organizations."""

from migrations import eighth_schema

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    eighth_schema.upgrade()


def downgrade() -> None:
    eighth_schema.downgrade()
