"""The product's own statements over the same facts as Parquet files, in the dialect of DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import asyncpg
import duckdb

from models.evidence import Window
from models.metric import MetricName
from store.metrics import statement

Row = dict[str, object]

_SQL = Path(__file__).parent / "sql" / "scale"
_PLAINLY = {
    MetricName.CONTRIBUTION_MARGIN: (_SQL / "contribution_margin.sql").read_text("utf-8"),
    MetricName.PIPELINE_VELOCITY: (_SQL / "pipeline_velocity.sql").read_text("utf-8"),
    MetricName.COMPLIANCE_SCORE: (_SQL / "compliance_score.sql").read_text("utf-8"),
    MetricName.ENABLEMENT_COMPLETION: (_SQL / "enablement_completion.sql").read_text("utf-8"),
    MetricName.LEAD_FOLLOW_UP_SLA: "".join(
        (_SQL / f"{name}.sql").read_text("utf-8") for name in ("lead_states", "lead_follow_up_sla")
    ),
}
"""Statements that are not ours but find the same: ours would be none that one writes for DuckDB, which takes up to
four times as long for them."""

FACTS = (
    *("partner", "fx_rate", "rebate_run", "lead", "partner_transaction", "partner_cost", "opportunity"),
    *("opportunity_reopening", "mdf_budget", "mdf_allocation", "mdf_request", "mdf_claim", "person"),
    *("enablement_course", "enablement_assignment", "compliance_check", "compliance_result", "compliance_waiver"),
)
# Made of facts as they come in, and not amended but added to.
_MADE = ("lead_contact_time",)
# What is also true before anybody wrote it down.
_REACHES_BACK = ("partner", "person")

# Money as floating point: DuckDB is fastest so, and its decimals are too short for amounts times shares times rates.
_TYPES = {
    "boolean": "boolean",
    "date": "date",
    "double precision": "double",
    "integer": "integer",
    "numeric": "double",
    "timestamp with time zone": "timestamptz",
}
_COLUMNS = """
select a.attname as name,
       format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as type
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""

# What DuckDB says differently. The cohort is a table there, joined as DuckDB sees fit.
_DIALECT = (
    (r"select \* from unnest\(\$1::int\[\], \$2::text\[\]\) as asked \(group_no, partner_id\)", "select * from cohort"),
    (r"= any \(\$2(::text\[\])?\)", "in (select partner_id from cohort)"),
    (r"\$3(::timestamptz)?", "$begins::timestamptz"),
    (r"\$4(::timestamptz)?", "$ends::timestamptz"),
    (r"\$5(::timestamptz)?", "$as_of::timestamptz"),
    (
        r"percentile_cont\(array\[([^\]]*)\]\) within group \(order by ([\w.]+)\)",
        r"quantile_cont(\2::double, [\1])",
    ),
    (r"select from ", "select 1 from "),
    (r"interval '1 us'", "interval '1 microsecond'"),
    (r"(interval '1 month'\)) as m\n", r"\1 as m (m)\n"),
    (
        r"cross join unnest\(t.amounts, t.currencies, t.months\) as one \(amount, currency, month\)",
        "cross join lateral (select unnest(t.amounts) as amount, unnest(t.currencies) as currency,"
        " unnest(t.months) as month) as one",
    ),
)


class Duck:
    """DuckDB in this process, over files in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._duck = duckdb.connect()
        self._duck.execute("set timezone = 'UTC'; create schema superseded")

    def close(self) -> None:
        """Let go of the files."""
        self._duck.close()

    async def take(self, connection: asyncpg.Connection[asyncpg.Record]) -> int:
        """Write the database's facts, and what they said before, as Parquet, where that has not been done yet. Returns
        how many bytes that is.
        """
        for table in FACTS:
            for place in (table, f"superseded.{table}"):
                await self._take(connection, place)
            self._as_of(table)
        for table in _MADE:
            await self._take(connection, table)
            self._duck.execute(f"create view {table} as from '{self._file(table)}'")
        return sum(file.stat().st_size for file in self._directory.glob("*.parquet"))

    async def _take(self, connection: asyncpg.Connection[asyncpg.Record], place: str) -> None:
        text, begun, name = self._directory / "rows.csv", self._directory / "begun", place.replace(".", "_")
        if self._file(name).exists():
            return
        columns = [(row["name"], row["type"]) for row in await connection.fetch(_COLUMNS, place)]
        lists = {column for column, type_ in columns if type_.endswith("[]")}
        chosen = ", ".join(f"array_to_json({one}) as {one}" if one in lists else one for one, _ in columns)
        await connection.copy_from_query(f"select {chosen} from {place}", output=text, format="csv", null="\\N")  # noqa: S608
        types = ", ".join(f"'{one}': '{_TYPES.get(type_, 'varchar')}'" for one, type_ in columns)
        kept = ", ".join(f"from_json({one}, '[\"varchar\"]') as {one}" if one in lists else one for one, _ in columns)
        self._duck.execute(
            f"copy (select {kept} from read_csv('{text}', header = false, nullstr = '\\N', columns = {{{types}}}, "  # noqa: S608
            f"auto_detect = false, quote = '\"', escape = '\"')) to '{begun}' (format parquet)"
        )
        begun.rename(self._file(name))
        text.unlink()

    def _as_of(self, table: str) -> None:
        """The table as it was known at a moment, as migration 0003 says it."""
        for place in (table, f"superseded.{table}"):
            self._duck.execute(f"create view {place} as from '{self._file(place.replace('.', '_'))}'")
        known = "" if table in _REACHES_BACK else "known_at <= moment and "
        amended = f"{known}(amended_at is null or amended_at <= moment)"
        self._duck.execute(
            f"create macro {table}_as_of(moment) as table "  # noqa: S608
            f"select * from '{self._file(table)}' where {amended} union all by name "
            f"select * exclude (superseded_at) from '{self._file('superseded_' + table)}' "
            f"where {amended} and superseded_at > moment"
        )

    def ask_about(self, partners: Iterable[str]) -> None:
        """From now on the cohort are these."""
        self._duck.execute("create or replace table reporting_currency as select 'USD' as currency")
        self._duck.execute("create or replace table cohort (group_no integer, partner_id varchar)")
        self._duck.execute("insert into cohort select 0, unnest($partners::varchar[])", {"partners": list(partners)})

    def read(self, metric: MetricName, window: Window) -> list[tuple[object, ...]]:
        """The rows of the cohort."""
        return self._ask(metric, window).fetchall()

    def names(self, metric: MetricName, window: Window) -> list[str]:
        """What the columns of the rows are."""
        return [column[0] for column in self._ask(metric, window).description or ()]

    def _ask(self, metric: MetricName, window: Window) -> duckdb.DuckDBPyConnection:
        sql = _PLAINLY.get(metric) or statement(metric)
        for pattern, instead in _DIALECT:
            sql = re.sub(pattern, instead, sql)
        named = {"begins": window.start, "ends": window.end, "as_of": window.end}
        return self._duck.execute(sql, {name: one for name, one in named.items() if f"${name}" in sql})

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.parquet"
