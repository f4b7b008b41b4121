"""Terms of accounts, the audit log."""

from migrations import sixth_schema

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sixth_schema.upgrade()


def downgrade() -> None:
    sixth_schema.downgrade()
