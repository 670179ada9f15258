from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.graph.cypher import escaped, quote

_UNICODE = re.compile(r"\\(\\*)u+([0-9A-Fa-f]{4})")


def decoded(text: str) -> str:
    """What Cypher's reader makes of a text: an odd run of backslashes before u and four digits is a character."""
    out, at = [], 0
    while at < len(text):
        run = 0
        while at + run < len(text) and text[at + run] == "\\":
            run += 1
        if run % 2 and re.fullmatch(r"u[0-9A-Fa-f]{4}", text[at + run : at + run + 5]):
            out.append("\\" * (run - 1) + chr(int(text[at + run + 1 : at + run + 5], 16)))
            at += run + 5
        else:
            out.append(text[at : at + max(run, 1)])
            at += max(run, 1)
    return "".join(out)


@given(st.one_of(st.text(), st.text(alphabet="\\u0064`15Ca", max_size=20)))
def test_a_quoted_name_is_read_back_and_cannot_be_left(name: str) -> None:
    read = decoded(quote(name))
    assert read[0] == read[-1] == "`"
    inside = read[1:-1]
    assert re.fullmatch(r"(?:[^`]|``)*", inside, re.DOTALL)
    assert inside.replace("``", "`") == name


def test_a_servers_own_statement_is_fit_to_be_sent_back() -> None:
    assert escaped("CREATE INDEX `a``\\u0060` FOR (n:`B`) ON (n.`c`)") == (
        "CREATE INDEX `a``\\u005Cu0060` FOR (n:`B`) ON (n.`c`)"
    )
    for said in ("CREATE INDEX `a` FOR (n:`B`) ON (n.`c`)", "CREATE INDEX `\\u005Cu0060` FOR (n:`B`) ON (n.`c`)"):
        assert escaped(said) == said
