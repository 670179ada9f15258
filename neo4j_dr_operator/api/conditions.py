"""Status conditions: the standard Kubernetes shape, and one pure way to change them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from neo4j_dr_operator.api.base import Instant, StatusModel

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(StatusModel):
    """One aspect of a resource's state (``metav1.Condition``)."""

    type: Annotated[str, Field(max_length=316)] = Field(description="Name of the aspect, such as Ready.")
    status: ConditionStatus = Field(description="Whether it holds; Unknown when that cannot be told at the moment.")
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = Field(description="One word that says why, for programs.")
    message: Annotated[str, Field(max_length=32768)] = Field(default="", description="Why, for people.")
    last_transition_time: Instant = Field(description="When status last changed from one value to another.")
    observed_generation: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="metadata.generation of the resource that this was derived from."
    )


Conditions = Annotated[
    list[Condition],
    Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


def find_condition(existing: list[Condition], type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((condition for condition in existing if condition.type == type_), None)


def set_condition(
    existing: list[Condition],
    type_: str,
    status: ConditionStatus,
    reason: str,
    message: str,
    generation: int | None,
    now: datetime,
) -> list[Condition]:
    """A copy of the list with that condition set, in its old place or at the end.

    ``lastTransitionTime`` moves to ``now`` (whole seconds, as Kubernetes writes it) only when the status differs from
    the one before. ``observedGeneration`` never goes back: a report that is late does not pass for a newer one.
    Raises ``pydantic.ValidationError`` when reason or time are not of the standard form.
    """
    before = find_condition(existing, type_)
    moved = before is None or before.status != status
    since = now.replace(microsecond=0) if before is None or moved else before.last_transition_time
    if before is not None and before.observed_generation is not None:
        generation = max(before.observed_generation, generation or 0)
    made = Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )
    if before is None:
        return [*existing, made]
    return [made if condition.type == type_ else condition for condition in existing]
