"""Alembic revisions of the state database; ``models.database.migrate`` runs them."""
