"""What a reading would come to if the leads that are due soon were missed: for a warning before the breach."""

from __future__ import annotations

from models.evidence import CohortReading, GroupValue


def with_missed(reading: CohortReading, leads: int) -> CohortReading:
    """The reading of a lead follow-up SLA with so many further leads past their deadline without a contact.

    `100 x met / (decided + leads)`, percent: what is pending moves into the denominator and into no numerator.
    """
    met, decided = reading.group.numerator or 0.0, (reading.group.denominator or 0.0) + leads
    if decided <= 0:
        return reading
    group = GroupValue(
        value=100 * met / decided,
        numerator=met,
        denominator=decided,
        n_partners=reading.group.n_partners,
        n_facts=reading.group.n_facts + leads,
        parts=reading.group.parts,
    )
    return reading.model_copy(update={"group": group})
