"""Earlier looks in a bundle: what the store lists of each, so that verdicts that count looks can be judged anew."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from audit.bundle import LOOKS, BundleError
from models.base import Frozen, Instant
from models.canonical import canonical
from models.evidence import Verdict
from models.metric import MetricName


class ListedLook(Frozen):
    """One look at one metric of one cohort as of a programme time: the verdict of it by itself, what it adds to the
    count of breaches (None: nothing), and the snapshot it was made of, which few looks leave in the store."""

    cohort: str
    metric: MetricName
    as_of: Instant
    verdict: Verdict
    beyond: bool | None
    snapshot: str


def looks_file(looks: Iterable[ListedLook]) -> bytes:
    """Looks as they lie in a bundle, a line each."""
    return b"".join(canonical(one.model_dump(mode="json")) + b"\n" for one in looks)


def read_looks(content: bytes) -> tuple[ListedLook, ...]:
    """The looks of a bundle, each there once.

    Raises:
        BundleError: naming the first line that is none.
    """
    found: dict[tuple[str, MetricName, Instant], ListedLook] = {}
    for number, line in enumerate(content.splitlines(), 1):
        try:
            one = ListedLook.model_validate_json(line)
            written = canonical(one.model_dump(mode="json"))
        except (ValidationError, ValueError, RecursionError) as problem:
            raise BundleError(LOOKS, f"line {number} is no look: {' '.join(str(problem).split())[:200]}") from None
        if written != line:
            raise BundleError(LOOKS, f"line {number} is not written canonically")
        if (one.cohort, one.metric, one.as_of) in found:
            raise BundleError(LOOKS, f"line {number}: two looks at one metric of one cohort as of one moment")
        found[one.cohort, one.metric, one.as_of] = one
    return tuple(found.values())
