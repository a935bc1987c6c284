"""The marks by which a run knows in which way it began: what `workflow.patched` is asked, so that runs of every release
replay as they went. A mark is never taken away while runs without it may be there."""

from __future__ import annotations

TOGETHER = "record-along"
"""Marks the runs that began since looks go before the record, and enrolments take it along."""

LETTERS = "every-letter"
"""Marks the runs that also tell that they go on, that they have stopped, and that a checkpoint was missed."""

AGREEMENTS = "agreement-letter"
"""Marks the runs that also tell that a stop or an override waits for another owner."""

LOGGED = "letters-in-the-log"
"""Marks the runs whose log names every letter that they write."""

WORD = "watchs-word"
"""Marks the runs that have judged what the watch measured before they measured anew."""

HERE = "watchs-word-here"
"""Marks the runs that judge what the watch measured within the workflow task that brought its word. They have no mark
of `WORD`: this one says it as well."""

MEANWHILE = "asked-meanwhile"
"""Marks the runs that were asked for a look while they took one, and look again: without it the word was lost."""

EACH = "each-question"
"""Marks the runs that answer each question by itself: without it words that came more often than a look takes kept a
resume and a gate waiting for ever, and what was asked as a phase was left was forgotten with it."""

WRITABLE = "no-nul"
"""Marks the runs that were asked something with a character that no store can hold, and refused it."""

ANSWERED = "parked-answered"
"""Marks the runs that ended while requests waited for keys, and refused them: without it nobody was answered."""

HEARD = "heard-while-behind"
"""Marks the runs that heard a word of the watch while their log was behind: without it the word was refused, and the
watch does not repeat itself."""

EXPORTS = "history-export"
"""Marks the runs that export their history at gates and before they end."""

KEEPS = "kept-record"
"""Marks the runs that keep their decision record and the draft of the next cycle before they end."""

EXPORT_FIRST = "export-first"
"""Marks the runs that export their history at a gate before they record its passing, and record both at once; and that
do not continue as new when only their end is left."""

ONCE = "said-once"
"""Marks the runs that began with all of the above but `HERE` and `HEARD`, which says what seven marks said; that set
their timer anew with the watch's word; and that say nothing in a request that the same request has said already."""

IN_PLACE = "paused-in-place"
"""Marks the runs in which somebody has paused in an owner's place: without it such a pause was refused as one that
cannot be read. No run says so of itself at once, however new: those that had refused one go on without."""

BOTH_NAMES = "resumed-in-place"
"""Marks the runs in which somebody has asked to resume in an owner's place, and in which what came of it names both:
without it that entry names the owner alone. No run says so of itself at once, as with `IN_PLACE`."""

FEWER = "fewer-steps"
"""Marks the runs that began with all of the above, `HERE` and `HEARD` among them; that measure and judge in one
activity; whose letters go out with the record that tells of them; and whose requests leave out which rollout they are
of, where that is the one in whose history they stand."""
