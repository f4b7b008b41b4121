"""Groups, labels, placement."""

from migrations import fifth_schema

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    fifth_schema.upgrade()


def downgrade() -> None:
    fifth_schema.downgrade()
