"""Bundles of rollouts that a test has just lived through, as an auditor is given them."""

from __future__ import annotations

from audit.exhibit import Trusted
from audit.findings import Finding, Report
from audit.verify import verify
from cli.audit_export import gather, release
from console.gateway import Gateway
from store.pool import Connection
from tests.audit.exhibits import SIGNER, Sample, of_bundle
from tests.workflows.live import Live


async def exported(live: Live, conn: Connection) -> Sample:
    """The bundle of a rollout; its checkpoints are signed with the tests' key."""
    found = await gather(conn, Gateway(live.client), live.plan.id)
    return of_bundle(found.files)


async def borne_out(live: Live, conn: Connection) -> Report:
    """What is found in the bundle of a rollout of which evidence must bear out all that it did."""
    report = report_on(await exported(live, conn))
    assert against(report) == []
    assert report.proven.judged == report.proven.assessments
    return report


def report_on(sample: Sample) -> Report:
    """What is found in it."""
    trusted = Trusted(log=(SIGNER.public,), decisions=sample.keys.keys if sample.keys else ())
    return verify(sample.bundle(), trusted, release())


def against(report: Report) -> list[Finding]:
    """All that was found, but for what such a rollout leaves open."""
    return [*report.wrong, *(one for one in report.findings if one.gap in ("verdicts", "looks"))]
