"""What is claimed of a resource at one moment, before it becomes a stored condition. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One condition: its type, whether it holds (None: unknown), a CamelCase reason and a sentence."""

    type: str
    holds: bool | None
    reason: str
    message: str = ""

    @property
    def status(self) -> str:
        """As Kubernetes spells it."""
        return "Unknown" if self.holds is None else str(self.holds)
