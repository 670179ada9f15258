"""For all tests: a property holds or not, however long a machine that does other work takes to look."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("honest", deadline=None)
settings.load_profile("honest")
