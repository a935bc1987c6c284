"""What is read of enablement is what plain Python works out of the same facts, over small worlds and at any moment."""

from __future__ import annotations

import pytest
from hypothesis import given

from models.metric import MetricName
from tests.store.plainly.book import Book
from tests.store.plainly.enablement import enablement, enablement_of
from tests.store.plainly.learners import learners
from tests.store.test_metrics_plainly import ASKED, FEW, Asked, Plainly, agree
from tests.store.world import World

pytestmark = pytest.mark.timeout(900)

ENABLEMENT = (
    *("due", "completed", "early", "on_time", "overdue", "expired", "failed", "prior_credit"),
    *("not_due", "waived", "withdrawn", "not_begun", "assigned_after_due"),
    *("assigned_in_window", "completed_of_assigned_in_window"),
    *("numerator", "denominator", "facts"),
)


@FEW
@given(book=learners(), asked=ASKED)
async def test_enablement_is_what_is_worked_out_plainly(world: World, book: Book, asked: Asked) -> None:
    await agree(world, MetricName.ENABLEMENT_COMPLETION, book, asked, Plainly(enablement, enablement_of, ENABLEMENT))
