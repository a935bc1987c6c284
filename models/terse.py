"""The entries and letters of a record as a history has them: what the same record has said already is not said again.

An entry without `at`, `programme_at` or `phase` is of the moment, or in the phase, of the one before it, and one
without `sequence` is the next; `evidence_of` is the number of an entry above that names the same evidence. Verdicts
that are all the same are said once, of these cohorts and those metrics. A letter names the entry that it is `about`,
and is of that entry's moment, gate and evidence; whoever it is for must act, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

CARRIED = ("at", "programme_at", "phase")
"""What an entry shares with the one before it, where it does not say it itself."""

SHARED = ("programme_at", "gate", "evidence_digest")
"""What a letter shares with the entry that it is about."""

VERDICTS, ALL = "verdicts", "all"

EVIDENCE, EVIDENCE_OF = "evidence_digest", "evidence_of"
"""What names the evidence of an entry, and what names an entry above with the same; no entry has a field of that name,
so that nothing that somebody sent can be taken for it."""


def entries_in_short(entries: Sequence[Json], *, counted: bool = True) -> list[Json]:
    """Entries as JSON, without what stands in the one before.

    Args:
        counted: without its number, and the evidence by the entry that names it first. False for a run from before.
    """
    found, before = [], dict[str, Any]()
    first = dict[str, Any]()
    for entry in entries:
        said = {name: value for name, value in entry.items() if name not in CARRIED or before.get(name) != value}
        if counted:
            if before and entry["sequence"] == before["sequence"] + 1:
                del said["sequence"]
            evidence = entry.get(EVIDENCE)
            if evidence in first:
                said = {EVIDENCE_OF if name == EVIDENCE else name: value for name, value in said.items()}
                said[EVIDENCE_OF] = first[evidence]
            elif evidence is not None:
                first[evidence] = entry["sequence"]
        detail = entry.get("detail")
        if isinstance(detail, dict) and isinstance(detail.get(VERDICTS), dict):
            said["detail"] = {**detail, VERDICTS: _grouped(detail[VERDICTS])}
        found.append(said)
        before = entry
    return found


def entries_in_full(entries: Sequence[Any]) -> list[Any]:
    """The same entries with all that belongs to them; those that say it themselves, and what is none, as they are."""
    found: list[Any] = []
    before: Json = {}
    known: dict[int, Any] = {}
    for said in entries:
        if not isinstance(said, dict):
            found.append(said)
            continue
        entry = _counted({**{name: before[name] for name in CARRIED if name in before}, **said}, before, known)
        detail = entry.get("detail")
        if isinstance(detail, dict) and VERDICTS in detail:
            entry["detail"] = {**detail, VERDICTS: _each(detail[VERDICTS])}
        found.append(entry)
        before = entry
    return found


def _counted(entry: Json, before: Json, known: dict[int, Any]) -> Json:
    """An entry with its number, and the evidence that an entry above names; as it is where there is none such.

    Args:
        known: what the entries above name, by their number; this one is added.
    """
    number = before.get("sequence")
    if "sequence" not in entry and isinstance(number, int):
        entry = {"sequence": number + 1, **entry}
    place = entry.get(EVIDENCE_OF)
    if isinstance(place, int) and place in known:
        entry = {EVIDENCE if name == EVIDENCE_OF else name: value for name, value in entry.items()}
        entry[EVIDENCE] = known[place]
    if isinstance(entry.get("sequence"), int) and EVIDENCE in entry:
        known[entry["sequence"]] = entry[EVIDENCE]
    return entry


def _grouped(verdicts: Json) -> Json:
    """`{"all": verdict, "of": cohorts, "in": metrics}`, where that says no less."""
    pairs = [name.partition("/")[::2] for name in verdicts]
    cohorts, metrics = (list(dict.fromkeys(names)) for names in zip(*pairs, strict=True)) if pairs else ([], [])
    same = len(set(map(str, verdicts.values()))) == 1
    if not same or list(verdicts) != list(_names(cohorts, metrics)):
        return verdicts
    return {ALL: next(iter(verdicts.values())), "of": cohorts, "in": metrics}


def _each(verdicts: Any) -> Any:
    if not isinstance(verdicts, dict) or verdicts.keys() != {ALL, "of", "in"}:
        return verdicts
    cohorts, metrics = verdicts["of"], verdicts["in"]
    if not isinstance(cohorts, list) or not isinstance(metrics, list):
        return verdicts
    return dict.fromkeys(_names(cohorts, metrics), verdicts[ALL])


def _names(cohorts: Sequence[str], metrics: Sequence[str]) -> Iterator[str]:
    return (f"{cohort}/{metric}" for cohort in cohorts for metric in metrics)


def notices_in_short(notices: Sequence[Json], entries: Sequence[Json], head: str) -> list[Json]:
    """Letters as JSON, without what the entry says that they are about; one about an entry of another record whole.

    Args:
        entries: in full.
        head: what the ids of this rollout's letters begin with.
    """
    known = {entry["sequence"]: entry for entry in entries}
    return [_letter_in_short(one, known, head) for one in notices]


def _letter_in_short(notice: Json, known: Mapping[int, Json], head: str) -> Json:
    number, _, kind = str(notice["notice_id"]).removeprefix(head).partition("/")
    entry = known.get(int(number)) if number.isascii() and number.isdigit() else None
    if entry is None or notice["notice_id"] != f"{head}{entry['sequence']}/{kind}" or kind != notice["kind"]:
        return notice
    if any(entry.get(name) != notice.get(name) for name in SHARED):
        return notice
    said: Json = {"about": entry["sequence"]}
    said |= {name: value for name, value in notice.items() if name not in ("notice_id", *SHARED)}
    if notice.get("must_act", []) == notice["roles"]:
        said.pop("must_act", None)
    elif "must_act" not in notice:
        said["must_act"] = []
    return said


def notices_in_full(notices: Sequence[Any], entries: Sequence[Any], head: str) -> list[Any]:
    """The same letters with all that belongs to them."""
    known = {entry.get("sequence"): entry for entry in entries if isinstance(entry, dict)}
    return [_letter_in_full(one, known, head) for one in notices]


def _letter_in_full(said: Any, known: Mapping[Any, Json], head: str) -> Any:
    if not isinstance(said, dict) or not isinstance(said.get("about"), int) or said["about"] not in known:
        return said
    entry = known[said["about"]]
    shared = {name: entry[name] for name in SHARED if name in entry}
    rest = {name: value for name, value in said.items() if name != "about"}
    return {"notice_id": f"{head}{said['about']}/{said.get('kind')}", **shared, "must_act": said.get("roles"), **rest}
