"""The first state tables: organisations, runs, quality, plans with their history, effects, outbox, publications."""

import sqlalchemy as sa
from alembic import op

from models.database import LocalDateTime, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POINT_STATES = ("waiting", "running", "finished", "finished_with_problems", "failed", "skipped")
STEPS = ("ingest", "check", "filter", "measure", "verify", "diagnose", "plan", "deliver")
GATES = ("pass", "warn", "fail")
ROLES = ("system", "oem", "region", "dealer")
PLAN_KINDS = ("rectify", "keep", "data", "coaching")
PLAN_STATES = (
    "drafted",
    "issued",
    "filed",
    "returned",
    "approved",
    "in_progress",
    "done",
    "verified",
    "closed",
    "carried",
    "withdrawn",
)
VERDICTS = ("effective", "no_effect", "worse", "not_enough_evidence")
SEVERITIES = ("block", "quarantine", "warn")
OWNER_ROLES = (
    "sales_manager",
    "sales_consultant",
    "customer_service",
    "general_manager",
    "region",
    "oem_product",
    "oem_pricing",
    "oem_supply",
    "none",
)

# Statements both databases need in their own words: the history is append-only, and what was fixed at approval stays.
FIXED = ("at", "indicator", "rule", "comparison", "horizon", "target", "from")

SQLITE = (
    """CREATE TRIGGER plan_events_no_update BEFORE UPDATE ON plan_events
    BEGIN SELECT RAISE(ABORT, 'plan_events is append-only'); END""",
    """CREATE TRIGGER plan_events_no_delete BEFORE DELETE ON plan_events
    BEGIN SELECT RAISE(ABORT, 'plan_events is append-only'); END""",
    f"""CREATE TRIGGER plan_measures_fixed BEFORE UPDATE ON plan_measures
    WHEN OLD.registered_at IS NOT NULL
    AND ({" OR ".join(f"NEW.registered_{x} IS NOT OLD.registered_{x}" for x in FIXED)})
    BEGIN SELECT RAISE(ABORT, 'what was fixed at approval stays'); END""",
    """CREATE TRIGGER plan_measures_keep BEFORE DELETE ON plan_measures WHEN OLD.registered_at IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'what was fixed at approval stays'); END""",
)

POSTGRESQL = (
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER plan_events_no_change BEFORE UPDATE OR DELETE ON plan_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change('plan_events is append-only')""",
    """CREATE TRIGGER plan_events_no_truncate BEFORE TRUNCATE ON plan_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('plan_events is append-only')""",
    f"""CREATE TRIGGER plan_measures_fixed BEFORE UPDATE ON plan_measures FOR EACH ROW
    WHEN (OLD.registered_at IS NOT NULL
    AND ({" OR ".join(f"NEW.registered_{x} IS DISTINCT FROM OLD.registered_{x}" for x in FIXED)}))
    EXECUTE FUNCTION refuse_change('what was fixed at approval stays')""",
    """CREATE TRIGGER plan_measures_keep BEFORE DELETE ON plan_measures FOR EACH ROW
    WHEN (OLD.registered_at IS NOT NULL) EXECUTE FUNCTION refuse_change('what was fixed at approval stays')""",
)


def _word(name: str, words: tuple[str, ...], *, nullable: bool = False) -> sa.Column:
    kind = sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, kind, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "cycle_runs",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("as_of", LocalDateTime(), nullable=False),
        _word("state", POINT_STATES),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("settings_fingerprint", sa.String(), nullable=False),
        sa.Column("prefect_flow_run_id", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_cycle_runs_cycle")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_cycle_runs")),
    )
    op.create_index(op.f("ix_cycle_runs_cycle"), "cycle_runs", ["cycle"], unique=False)
    op.create_table(
        "dealer_outcomes",
        sa.Column("cycle", sa.String(), nullable=False),
        _word("step", STEPS),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_dealer_outcomes_cycle")),
        sa.PrimaryKeyConstraint("cycle", "step", "dealer_id", name=op.f("pk_dealer_outcomes")),
    )
    op.create_table(
        "dealer_scores",
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        sa.Column("completeness", sa.Float(), nullable=True),
        sa.Column("validity", sa.Float(), nullable=True),
        sa.Column("consistency", sa.Float(), nullable=True),
        sa.Column("uniqueness", sa.Float(), nullable=True),
        sa.Column("timeliness", sa.Float(), nullable=True),
        sa.Column("authenticity", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        _word("gate", GATES),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_dealer_scores_cycle")),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("ck_dealer_scores_score")),
        sa.PrimaryKeyConstraint("cycle", "dealer_id", name=op.f("pk_dealer_scores")),
    )
    op.create_table(
        "dealers",
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("region_id", sa.String(), nullable=False),
        sa.Column("region_name", sa.String(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("dealer_id", name=op.f("pk_dealers")),
    )
    op.create_index(op.f("ix_dealers_region_id"), "dealers", ["region_id"], unique=False)
    op.create_table(
        "file_loads",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("rows_in", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("loaded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "table_name", "file", "sha256", name=op.f("pk_file_loads")),
    )
    op.create_table(
        "key_points",
        sa.Column("cycle", sa.String(), nullable=False),
        _word("step", STEPS),
        _word("owner", ROLES),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        _word("state", POINT_STATES),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("prefect_flow_run_id", sa.String(), nullable=True),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_key_points_cycle")),
        sa.PrimaryKeyConstraint("cycle", "step", name=op.f("pk_key_points")),
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["sent_at", "message_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("region_id", sa.String(), nullable=False),
        _word("kind", PLAN_KINDS),
        _word("state", PLAN_STATES),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("note_params", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("as_of", LocalDateTime(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _word("verdict", VERDICTS, nullable=True),
        sa.Column("carried_into", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=True),
        sa.Column("filed_at", UtcDateTime(), nullable=True),
        sa.Column("returned_at", UtcDateTime(), nullable=True),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_plans_cycle")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plans")),
        sa.UniqueConstraint("cycle", "dealer_id", name=op.f("uq_plans_cycle_dealer_id")),
    )
    op.create_index(op.f("ix_plans_dealer_id"), "plans", ["dealer_id"], unique=False)
    op.create_index(op.f("ix_plans_region_id"), "plans", ["region_id"], unique=False)
    op.create_table(
        "published_results",
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("as_of", LocalDateTime(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_published_results_cycle")),
        sa.PrimaryKeyConstraint("cycle", "name", "version", name=op.f("pk_published_results")),
    )
    op.create_table(
        "quality_results",
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("expectation", sa.String(), nullable=False),
        sa.Column("table_name", sa.String(), nullable=False),
        _word("severity", SEVERITIES),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("suite_version", sa.String(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_quality_results_cycle")),
        sa.CheckConstraint("failed <= checked", name=op.f("ck_quality_results_failed")),
        sa.PrimaryKeyConstraint("cycle", "dealer_id", "expectation", name=op.f("pk_quality_results")),
    )
    op.create_table(
        "plan_events",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        _word("role", ROLES),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        _word("from_state", PLAN_STATES, nullable=True),
        _word("to_state", PLAN_STATES),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_events_plan_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_plan_events")),
        sa.UniqueConstraint("plan_id", "sequence", name=op.f("uq_plan_events_plan_id_sequence")),
    )
    op.create_index(op.f("ix_plan_events_dealer_id"), "plan_events", ["dealer_id"], unique=False)
    op.create_table(
        "plan_measures",
        sa.Column("measure_id", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("indicator", sa.String(), nullable=False),
        sa.Column("owner_role", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("baseline", sa.Float(), nullable=True),
        sa.Column("target", sa.Float(), nullable=True),
        sa.Column("target_points", sa.Float(), nullable=True),
        sa.Column("deals_at_stake", sa.Float(), nullable=True),
        sa.Column("verify_after_months", sa.Integer(), nullable=True),
        _word("responsible", OWNER_ROLES, nullable=True),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("own_text", sa.String(), nullable=False),
        sa.Column("executed", sa.Boolean(), nullable=True),
        sa.Column("partly", sa.Boolean(), nullable=False),
        sa.Column("executed_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=True),
        sa.Column("registered_indicator", sa.String(), nullable=True),
        sa.Column("registered_rule", sa.String(), nullable=True),
        sa.Column("registered_comparison", sa.String(), nullable=True),
        sa.Column("registered_horizon", sa.Integer(), nullable=True),
        sa.Column("registered_target", sa.Float(), nullable=True),
        sa.Column("registered_from", sa.String(), nullable=True),
        sa.CheckConstraint("registered_from LIKE '____-__'", name=op.f("ck_plan_measures_registered_from")),
        sa.CheckConstraint("executed_on IS NULL OR executed", name=op.f("ck_plan_measures_executed_on")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_measures_plan_id")),
        sa.PrimaryKeyConstraint("measure_id", name=op.f("pk_plan_measures")),
        sa.UniqueConstraint("plan_id", "position", name=op.f("uq_plan_measures_plan_id_position")),
    )
    op.create_table(
        "plan_problems",
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("fixable", sa.Boolean(), nullable=False),
        sa.Column("dealer_id", sa.String(), nullable=False),
        sa.Column("indicator", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("numerator", sa.Integer(), nullable=False),
        sa.Column("denominator", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("gap_points", sa.Float(), nullable=True),
        sa.Column("lo90", sa.Float(), nullable=True),
        sa.Column("hi90", sa.Float(), nullable=True),
        sa.Column("q_value", sa.Float(), nullable=True),
        sa.Column("deals_at_stake", sa.Float(), nullable=True),
        sa.Column("peers", sa.Integer(), nullable=False),
        sa.Column("months", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("lead_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("also", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_plan_problems_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", "position", name=op.f("pk_plan_problems")),
    )
    op.create_table(
        "effects",
        sa.Column("measure_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("as_of", LocalDateTime(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("executed", sa.Boolean(), nullable=True),
        sa.Column("effect_points", sa.Float(), nullable=True),
        sa.Column("lo90", sa.Float(), nullable=True),
        sa.Column("hi90", sa.Float(), nullable=True),
        sa.Column("shrunk_points", sa.Float(), nullable=True),
        _word("verdict", VERDICTS),
        sa.Column("reason_key", sa.String(), nullable=False),
        sa.Column("target_reached", sa.Boolean(), nullable=True),
        sa.Column("months_needed", sa.Integer(), nullable=True),
        sa.Column("numerator", sa.Integer(), nullable=False),
        sa.Column("denominator", sa.Integer(), nullable=False),
        sa.CheckConstraint("cycle LIKE '____-__'", name=op.f("ck_effects_cycle")),
        sa.ForeignKeyConstraint(["measure_id"], ["plan_measures.measure_id"], name=op.f("fk_effects_measure_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.plan_id"], name=op.f("fk_effects_plan_id")),
        sa.PrimaryKeyConstraint("measure_id", "cycle", name=op.f("pk_effects")),
    )
    op.create_index(op.f("ix_effects_plan_id"), "effects", ["plan_id"], unique=False)
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRESQL if on_postgresql else SQLITE:
        op.get_bind().exec_driver_sql(statement.replace("%", "%%") if on_postgresql else statement)


def downgrade() -> None:
    op.drop_index(op.f("ix_effects_plan_id"), table_name="effects")
    op.drop_table("effects")
    op.drop_table("plan_problems")
    op.drop_table("plan_measures")
    op.drop_index(op.f("ix_plan_events_dealer_id"), table_name="plan_events")
    op.drop_table("plan_events")
    op.drop_table("quality_results")
    op.drop_table("published_results")
    op.drop_index(op.f("ix_plans_region_id"), table_name="plans")
    op.drop_index(op.f("ix_plans_dealer_id"), table_name="plans")
    op.drop_table("plans")
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("key_points")
    op.drop_table("file_loads")
    op.drop_index(op.f("ix_dealers_region_id"), table_name="dealers")
    op.drop_table("dealers")
    op.drop_table("dealer_scores")
    op.drop_table("dealer_outcomes")
    op.drop_index(op.f("ix_cycle_runs_cycle"), table_name="cycle_runs")
    op.drop_table("cycle_runs")
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql("DROP FUNCTION refuse_change()")
