"""Access lists, organizations."""

from migrations import third_schema

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    third_schema.upgrade()


def downgrade() -> None:
    third_schema.downgrade()
