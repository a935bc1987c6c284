"""What the watch remembers of rollouts is what stands in the store, whoever changed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

import store.watched
from models.work import RolloutKey
from store import marks, rollouts
from store.marks import WatchMark
from store.rollouts import StoredRollout
from store.watched import Watched
from tests.activities.setting import PILOT_COHORT, START, Pool, Setting
from tests.plans import make_plan

MARK = WatchMark(evaluated_at=START, told_at=None, breached=("pilot/x",), picture={"pilot/x": ("not met",)})


@pytest.fixture
async def two(pool: Pool) -> list[RolloutKey]:
    found = []
    for name in ("first", "second"):
        setting = await Setting(pool, make_plan(id=name)).register()
        await setting.watch(PILOT_COHORT)
        found.append(setting.key)
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rollouts that were read whole, one after the other."""
    found: list[str] = []

    def reads(row: Any) -> StoredRollout:
        found.append(row["rollout_id"])
        return rollouts.stored_of(row)

    monkeypatch.setattr(store.watched, "stored_of", reads)
    return found


async def looked(watched: Watched, pool: Pool, keys: Sequence[RolloutKey]) -> dict[str, WatchMark | None]:
    """The marks, of what is as it would be read anew."""
    async with pool.acquire() as conn:
        found = await watched.read(conn, keys)
        stored = {one.key: one for one in await rollouts.read_rollouts(conn, keys)}
    assert {one.key: one for one, _ in found} == stored
    return {one.key.rollout_id: mark for one, mark in found}


CHANGES = (
    "update rollout set plan = jsonb_set(plan, '{title}', '\"Another\"') where rollout_id = 'first'",
    "update rollout set watched = '[]' where rollout_id = 'first'",
    "update rollout set baselines = baselines where rollout_id = 'first'",
    "update rollout set status = 'paused', sequence = sequence where rollout_id = 'first'",
    "update rollout set sentence = 'Once', updated_at = updated_at where rollout_id = 'first';"
    " update rollout set sentence = 'Twice' where rollout_id = 'first'",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_has_changed_is_read_again_and_nothing_else(
    pool: Pool, two: list[RolloutKey], read: list[str], change: str
) -> None:
    """Also by somebody who says nothing of it: only the row tells."""
    watched = Watched()
    await looked(watched, pool, two)
    await looked(watched, pool, two)
    assert sorted(read) == ["first", "second"]
    await pool.execute(change)
    await looked(watched, pool, two)
    await looked(watched, pool, two)
    assert sorted(read) == ["first", "first", "second"]


async def test_its_row_may_move_and_another_one_take_its_place(
    pool: Pool, two: list[RolloutKey], read: list[str]
) -> None:
    watched = Watched()
    await looked(watched, pool, two)
    await pool.execute("update rollout set sentence = 'First' where rollout_id = 'first'")
    await pool.execute("vacuum full rollout")
    await looked(watched, pool, two)
    await pool.execute("update rollout set sentence = 'Second' where rollout_id = 'second'")
    await pool.execute("vacuum rollout")
    await looked(watched, pool, two)
    await pool.execute("delete from rollout where rollout_id = 'first'")
    assert list(await looked(watched, pool, two)) == ["second"]
    assert "second" in read


async def test_marks_are_read_each_time(pool: Pool, two: list[RolloutKey], read: list[str]) -> None:
    watched = Watched()
    assert await looked(watched, pool, two) == {"first": None, "second": None}
    for told_at in (None, START + timedelta(hours=1)):
        mark = MARK.model_copy(update={"told_at": told_at})
        async with pool.acquire() as conn:
            await marks.write_marks(conn, {two[1]: mark})
        assert await looked(watched, pool, two) == {"first": None, "second": mark}
    assert len(read) == 2


@pytest.mark.parametrize(
    ("stands", "late"),
    [((9, 3), (8, 3)), ((9, 3), (0, 8)), ((9, 9), (8, 8)), ((0, 9), (8, 3)), ((0, 9), (0, 8)), ((9, None), (8, 8))],
)
async def test_a_mark_of_an_earlier_look_does_not_take_the_place_of_a_later_one(
    pool: Pool, two: list[RolloutKey], stands: tuple[int, int | None], late: tuple[int, int | None]
) -> None:
    """A worker was taken for dead, another one took over, looked, and told: then the first one comes to its end. Hours
    of the latest look at everything and of the latest word; one of both is the look's own."""
    found = None
    for hours in (stands, late, stands):
        at, told = (None if one is None else START + timedelta(hours=one) for one in hours)
        assert at is not None
        mark = WatchMark(evaluated_at=at, told_at=told, picture={"pilot/x": (str(hours),)})
        async with pool.acquire() as conn:
            await marks.write_marks(conn, {two[0]: mark})
            ((_, found),) = await Watched().read(conn, two[:1])
        assert found is not None
        assert found.picture == {"pilot/x": (str(stands),)}
    assert found is not None
    again = found.model_copy(update={"picture": {"pilot/x": ("of the same moment",)}})
    async with pool.acquire() as conn:
        await marks.write_marks(conn, {two[0]: again})
        ((_, found),) = await Watched().read(conn, two[:1])
    assert found == again


async def test_no_more_is_remembered_than_fits(
    pool: Pool, two: list[RolloutKey], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rollout and its partners: of two that are read in turn, each time the other."""
    monkeypatch.setattr(store.watched, "_AT_HAND", 200 + PILOT_COHORT.size)
    watched = Watched()
    for key in (two[0], two[0], two[1], two[0]):
        await looked(watched, pool, [key])
    assert read == ["first", "second", "first"]
    await looked(watched, pool, two)
    assert read[3:] in (["second"], ["first", "second"], ["second", "first"])
