"""A workflow whose module imports something without passing it through the sandbox, as somebody might by mistake."""

from __future__ import annotations

from temporalio import workflow

from judgement.counting import counts_as


@workflow.defn
class Stray:
    """Uses what it imported."""

    @workflow.run
    async def run(self) -> str:
        return counts_as.__name__
