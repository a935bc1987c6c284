"""Business calendars and policies in PostgreSQL: deadlines at assignment, and pauses of the clock."""

from store.calendars.book import CalendarBook
from store.calendars.deadlines import Assignment, Deadlines, deadlines_at_assignment

__all__ = ["Assignment", "CalendarBook", "Deadlines", "deadlines_at_assignment"]
