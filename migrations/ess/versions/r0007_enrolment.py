"""Enrolment of nodes."""

from migrations import seventh_schema

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seventh_schema.upgrade()


def downgrade() -> None:
    seventh_schema.downgrade()
