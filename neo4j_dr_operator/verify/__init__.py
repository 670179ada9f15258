"""Two graphs of a link compared at one position of the source, while writes go on. ``docs/verify.md`` explains."""

from __future__ import annotations
