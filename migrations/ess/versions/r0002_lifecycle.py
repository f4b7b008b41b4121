"""Expiration, activation, policies, changes."""

from migrations import second_schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    second_schema.upgrade()


def downgrade() -> None:
    second_schema.downgrade()
