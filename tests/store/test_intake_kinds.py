"""What mappings are judged by agrees with the tables themselves."""

from __future__ import annotations

import re

import asyncpg
import pytest

from store.intake.kinds import KINDS, FactKind, FieldType
from store.intake.rules import in_words

COLUMNS = """
    select a.attname as name, coalesce(t.typname, format_type(a.atttypid, null)) as domain,
           format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), null) as type,
           a.attnotnull as required, pg_get_expr(d.adbin, d.adrelid) as initial
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
"""
CHECKS = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::text::regclass and contype = 'c'"
TYPES = {
    FieldType.TEXT: "text",
    FieldType.ZONE: "text",
    FieldType.HOURS: "text[]",
    FieldType.HOLIDAYS: "text",
    FieldType.TEXTS: "text[]",
    FieldType.MONEY: "numeric",
    FieldType.NUMBER: "numeric",
    FieldType.SHARE: "numeric",
    FieldType.INTEGER: "integer",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.MONTH: "date",
    FieldType.INSTANT: "timestamp with time zone",
    FieldType.CURRENCY: "character",
}
DOMAINS = {
    FieldType.MONEY: "money_amount",
    FieldType.SHARE: "share",
    FieldType.MONTH: "month",
    FieldType.CURRENCY: "currency_code",
}


@pytest.mark.parametrize("kind", FactKind)
async def test_a_kind_has_exactly_its_tables_columns(facts_pool: asyncpg.Pool, kind: FactKind) -> None:
    spec = KINDS[kind]
    columns = {row["name"]: row for row in await facts_pool.fetch(COLUMNS, spec.table)}
    assert {*spec.by_name, "source_system", "recorded_at", "amended_at"} == columns.keys()
    for field in spec.fields:
        column = columns[field.name]
        assert TYPES[field.type] == column["type"], field.name
        assert (DOMAINS.get(field.type) or column["domain"]) == column["domain"], field.name
        # known_at, the kind's own key and what another field answers are filled in where a mapping is silent.
        filled = field.name in (spec.id_field, "known_at") or field.true_where is not None
        assert (field.required or field.default is not None or filled) == column["required"], field.name
        initial = re.match(r"'?([^':]*)'?(::.*)?$", column["initial"] or "")
        if field.true_where is None:
            assert (field.default or "") == (initial[1] if initial else None), field.name


@pytest.mark.parametrize("kind", FactKind)
async def test_allowed_texts_are_those_of_the_table(facts_pool: asyncpg.Pool, kind: FactKind) -> None:
    spec = KINDS[kind]
    found = {}
    for (definition,) in await facts_pool.fetch(CHECKS, spec.table):
        match = re.search(r"\((\w+) = ANY \(ARRAY\[(.*)\]\)", definition)
        if match:
            found[match[1]] = set(re.findall(r"'(\w+)'::text", match[2]))
    assert found == {field.name: set(field.allowed) for field in spec.fields if field.allowed}


RULES = "select pg_get_expr(conbin, conrelid) from pg_constraint where conrelid = $1::text::regclass and contype = 'c'"


@pytest.mark.parametrize("kind", FactKind)
async def test_what_a_table_asks_of_its_rows_is_told_in_words(facts_pool: asyncpg.Pool, kind: FactKind) -> None:
    for (expression,) in await facts_pool.fetch(RULES, KINDS[kind].table):
        # Texts of a list are told when the cell is read.
        if " = ANY (ARRAY[" not in expression:
            assert not re.search(r"::|NULL|CASE|COALESCE|<> ''|\n", in_words(expression)), expression


def test_rules_are_told_by_their_fields() -> None:
    sales = "\nCASE kind\n    WHEN 'sale'::text THEN ((net_amount)::numeric >= (0)::numeric)\n    ELSE (x)\nEND"
    assert in_words(sales) == "sales of 0 or more, returns and credits of 0 or less"
    assert in_words("((closed_at IS NULL) = (outcome IS NULL))") == "closed_at and outcome, or neither"
    assert in_words("((rate > (0)::numeric) AND (rate < 'Infinity'::numeric))") == "rate > 0 and rate < 'Infinity'"
    assert in_words("other(than, that)") == "other(than, that)"


async def test_every_table_of_facts_can_be_imported(facts_pool: asyncpg.Pool) -> None:
    tables = await facts_pool.fetch(
        "select distinct table_name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'source_system'"
        # What is reckoned from facts names its fact, and is known with it.
        " and table_name in (select table_name from information_schema.columns where column_name = 'known_at')"
    )
    assert {row["table_name"] for row in tables} == {spec.table for spec in KINDS.values()}
