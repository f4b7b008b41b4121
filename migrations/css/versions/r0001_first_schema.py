"""First schema."""

from migrations import first_schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    first_schema.create()


def downgrade() -> None:
    first_schema.drop()
