"""What `verify` shows: for people without values unless asked for, for programs in a stable form."""

from __future__ import annotations

from neo4j_dr_operator.cli.document import written
from neo4j_dr_operator.cli.findings import lines, report
from neo4j_dr_operator.cli.text import paint
from neo4j_dr_operator.verify.states import Aspect
from neo4j_dr_operator.verify.verdict import Difference, Place, Verdict

SECRET = "tell-nobody-4711"


def verdict(*differences: Difference) -> Verdict:
    return Verdict(
        Place("east", "bolt+s://east:7687", "aaaa"),
        Place("west", "bolt+s://west:7687", "bbbb"),
        "primary>secondary",
        3,
        transaction=12_345,
        last_transaction=12_350,
        position="xyz",
        nodes=2_000,
        relationships=1_000,
        rechecked=12,
        later=1,
        seconds=2.0,
        differences=list(differences),
    )


DIFFERENT = Difference(
    "node", "differs", "4:aaaa:1", "4:bbbb:9", ("A", "x\x1b[31my"),
    (Aspect("labels", "", ["A"], ["A", "B"]), Aspect("property", "name", SECRET, 1.0)),
)  # fmt: skip
MISSING = Difference("relationship", "missing", "5:aaaa:2", "", ("TO",), why="the link never wrote it")
RULE = Difference("index", "extra", "", "by_name", ("CREATE INDEX by_name",))


def shown(found: Verdict, *, values: bool = False) -> str:
    return "\n".join(paint(lines(found, values=values), colour=False))


def test_equal_graphs_are_said_to_be_so_with_the_transaction() -> None:
    assert shown(verdict()).splitlines() == [
        "EQUAL   east and west at transaction 12,345",
        "Primary     east   bolt+s://east:7687",
        "Standby     west   bolt+s://west:7687",
        "Link        primary>secondary, epoch 3",
        "Compared    2,000 nodes, 1,000 relationships, constraints and indexes in 2.0 s, 1,500 elements/s",
        "Meanwhile   12 elements looked at again, by the primary's change stream",
        "Later       1 element changed again while looked at: compared at a later transaction, up to 12,350",
    ]


def test_differences_are_named_and_values_kept_back() -> None:
    said = shown(verdict(DIFFERENT, MISSING, RULE))
    assert said.startswith("DIFFERENT   east and west at transaction 12,345")
    assert "node :A:x\\x1b[31my   not the same\n   primary 4:aaaa:1   standby 4:bbbb:9" in said
    assert "   labels: A on the primary, A, B on the standby" in said
    assert "   property name: STRING on the primary, FLOAT on the standby" in said
    assert "relationship :TO   missing on the standby: the link never wrote it\n   primary 5:aaaa:2" in said
    assert "index by_name   only on the standby\n   CREATE INDEX by_name" in said
    assert SECRET not in said
    assert f'STRING "{SECRET}" on the primary, FLOAT 1.0 on the standby' in shown(verdict(DIFFERENT), values=True)


def test_an_early_end_is_said() -> None:
    found = verdict(MISSING)
    found.complete = False
    assert shown(found).endswith("ended after 1 difference; --limit shows more")
    assert "constraints and indexes" not in shown(found)
    assert (report(found, values=False)["complete"], report(found, values=False)["compared"]["schema"]) == (
        False,
        False,
    )


def test_the_document_has_values_only_if_asked_for() -> None:
    found = verdict(DIFFERENT, MISSING)
    made = report(found, values=False)
    assert (made["kind"], made["equal"], made["position"]["transaction"]) == ("VerificationReport", False, 12_345)
    assert made["differences"][0]["aspects"][1] == {
        "what": "property", "name": "name", "primaryType": "STRING", "standbyType": "FLOAT",
    }  # fmt: skip
    assert made["differences"][1]["standby"] is None
    assert SECRET not in written(made, "json", streamed=False)
    told = report(found, values=True)["differences"][0]["aspects"][1]
    assert (told["primary"], told["standby"]) == (SECRET, 1.0)
    assert written(report(verdict(), values=False), "yaml", streamed=False).startswith("apiVersion: cli.neo4j")
