"""Constraints and indexes of every kind follow their source: made, changed and dropped later, with any name."""

from __future__ import annotations

from lab import Neo4j
from tests.database.conftest import Start
from tests.database.process import LinkProcess

STRANGE = "it's `\\u0060` \U0001f600 é"
QUOTED = "`it's ``\\u005Cu0060`` \U0001f600 é`"
FIRST = (
    "CREATE CONSTRAINT person_uid FOR (n:Person) REQUIRE n.uid IS UNIQUE",
    "CREATE CONSTRAINT pair FOR (n:Person) REQUIRE (n.a, n.b) IS UNIQUE",
    "CREATE CONSTRAINT edge FOR ()-[r:KNOWS]-() REQUIRE r.id IS UNIQUE",
    f"CREATE CONSTRAINT {QUOTED} FOR (n:{QUOTED}) REQUIRE n.{QUOTED} IS UNIQUE",
    "CREATE INDEX range_node FOR (n:Person) ON (n.a, n.c)",
    "CREATE INDEX range_edge FOR ()-[r:KNOWS]-() ON (r.since)",
    "CREATE TEXT INDEX text_node FOR (n:Person) ON (n.name)",
    "CREATE POINT INDEX point_node FOR (n:Place) ON (n.at) "
    "OPTIONS {indexConfig: {`spatial.wgs-84.min`: [-90.0, -45.0], `spatial.wgs-84.max`: [90.0, 45.0]}}",
    "CREATE FULLTEXT INDEX words FOR (n:Person|Place) ON EACH [n.name, n.text] "
    "OPTIONS {indexConfig: {`fulltext.analyzer`: 'german', `fulltext.eventually_consistent`: true}}",
    "CREATE FULLTEXT INDEX words_edge FOR ()-[r:KNOWS|LIKES]-() ON EACH [r.text]",
    "CREATE VECTOR INDEX near FOR (n:Place) ON (n.embedding) "
    "OPTIONS {indexConfig: {`vector.dimensions`: 8, `vector.similarity_function`: 'euclidean'}}",
)
LATER = (
    "DROP CONSTRAINT person_uid",
    "CREATE INDEX person_uid FOR (n:Person) ON (n.uid)",  # another thing under the same name
    "DROP INDEX words",
    "CREATE FULLTEXT INDEX words FOR (n:Place) ON EACH [n.text] "
    "OPTIONS {indexConfig: {`fulltext.analyzer`: 'english'}}",
    "DROP INDEX near",
    "CREATE VECTOR INDEX near FOR ()-[r:KNOWS]-() ON (r.v) "
    "OPTIONS {indexConfig: {`vector.dimensions`: 4, `vector.similarity_function`: 'cosine'}}",
    "DROP INDEX range_edge",
    f"DROP CONSTRAINT {QUOTED}",
)


def schema_of(database: Neo4j) -> set[str]:
    """Every statement that makes the user's schema."""
    rows = database.query("SHOW CONSTRAINTS YIELD labelsOrTypes, createStatement AS s") + database.query(
        "SHOW INDEXES YIELD labelsOrTypes, owningConstraint, createStatement AS s "
        "WHERE owningConstraint IS NULL RETURN *"
    )
    return {row["s"] for row in rows if not any("__Neo4jDR" in label for label in row["labelsOrTypes"] or ())}


def made_by_users(database: Neo4j) -> set[str]:
    """The same without token lookup indexes, whose names are each database's own."""
    return {statement for statement in schema_of(database) if "LOOKUP" not in statement}


def compared(start: Start, origin: str = "attach") -> LinkProcess:
    """A link that has compared the schemas once, and ended."""
    worker = start(origin)
    worker.caught_up()
    worker.wait(lambda report: report["schemaSeen"] > 0)
    assert worker.finish() == 0
    return worker


def test_every_kind_follows(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:Person {uid: 1, name: 'a'})-[:KNOWS {id: 1}]->(:Place {text: 'b', embedding: [1.0, 2.0]})")
    for statement in FIRST:
        source.query(statement)
    assert STRANGE in {row["name"] for row in source.query("SHOW CONSTRAINTS YIELD name")}
    assert compared(start, "seed").report["schema"] is None
    assert schema_of(target) == schema_of(source)
    for statement in LATER:
        source.query(statement)
    lookup = source.query("SHOW INDEXES YIELD name, type, entityType WHERE type = 'LOOKUP' RETURN name, entityType")
    for row in lookup:
        source.query(f"DROP INDEX `{row['name']}`")
    source.query("CREATE LOOKUP INDEX tokens FOR (n) ON EACH labels(n)")
    try:
        assert compared(start).report["schema"] is None
        assert made_by_users(target) == made_by_users(source)
        kinds = "SHOW INDEXES YIELD type, entityType WHERE type = 'LOOKUP' RETURN entityType"
        assert target.query(kinds) == source.query(kinds) == [{"entityType": "NODE"}]
    finally:
        for database in (source, target):
            database.query("CREATE LOOKUP INDEX IF NOT EXISTS FOR (n) ON EACH labels(n)")
            database.query("CREATE LOOKUP INDEX IF NOT EXISTS FOR ()-[r]-() ON EACH type(r)")


def test_what_cannot_be_made_is_told_and_the_data_goes_on(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:Person {uid: 1})")
    target.query("CREATE INDEX taken FOR (n:Other) ON (n.x)")
    target.query("CREATE CONSTRAINT strict FOR (n:Elsewhere) REQUIRE n.x IS UNIQUE")
    source.query("CREATE INDEX taken FOR (n:Person) ON (n.uid)")
    source.query("CREATE INDEX fine FOR (n:Person) ON (n.name)")
    worker = start()
    problem = worker.wait(lambda report: report["schema"] is not None)["schema"]
    assert problem["reason"] == "SchemaDiffers"
    assert "index taken differs" in problem["message"]
    assert "constraint strict was made in the target by somebody else" in problem["message"]
    names = {row["name"] for row in target.query("SHOW INDEXES YIELD name")}
    assert {"taken", "fine", "strict"} <= names
    source.query("CREATE (:Person {uid: 2})")
    worker.caught_up()
    assert target.query("MATCH (n:Person) RETURN count(n) AS n") == [{"n": 2}]


def test_a_constraint_that_is_younger_than_the_backlog_waits_for_it(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:Person {uid: 0})")
    compared(start, "seed")
    for uid in range(1, 200):
        source.query("CREATE (:Person {uid: $uid})", uid=uid)
    source.query("UNWIND [1, 2] AS i CREATE (:Person {uid: 200, copy: i})")
    source.query("MATCH (n:Person {copy: 2}) DELETE n")
    source.query("CREATE CONSTRAINT person_uid FOR (n:Person) REQUIRE n.uid IS UNIQUE")
    worker = start("attach", batch=1)
    worker.caught_up()
    worker.wait(lambda report: report["schemaSeen"] > 0)
    assert worker.errors == []
    assert made_by_users(target) == made_by_users(source)
    assert target.query("MATCH (n:Person) RETURN count(n) AS n") == [{"n": 201}]


def test_a_constraint_that_was_away_for_a_while_makes_way(source: Neo4j, target: Neo4j, start: Start) -> None:
    constraint = "CREATE CONSTRAINT person_uid FOR (n:Person) REQUIRE n.uid IS UNIQUE"
    source.query("CREATE (:Person {uid: 0})")
    source.query(constraint)
    compared(start, "seed")
    assert made_by_users(target) == made_by_users(source)
    source.query("DROP CONSTRAINT person_uid")
    source.query("CREATE (:Person {uid: 0, copy: 2})")
    source.query("MATCH (n:Person {copy: 2}) DELETE n")
    source.query(constraint)
    worker = start("attach", batch=1)
    worker.caught_up()
    worker.wait(lambda report: report["schemaSeen"] > 0 and report["schema"] is None)
    assert worker.errors == ["ConstraintViolated"]
    assert made_by_users(target) == made_by_users(source)
    assert target.query("MATCH (n:Person) RETURN count(n) AS n") == [{"n": 1}]


def test_a_constraint_that_held_all_the_time_stays_and_what_breaks_it_is_told(
    source: Neo4j, target: Neo4j, start: Start
) -> None:
    source.query("CREATE CONSTRAINT person_uid FOR (n:Person) REQUIRE n.uid IS UNIQUE")
    source.query("CREATE (:Person {uid: 0})")
    worker = start()
    worker.caught_up()
    worker.wait(lambda report: report["schemaSeen"] > 0)
    target.query("CREATE (:Person {uid: 1})")  # somebody else's
    source.query("CREATE (:Person {uid: 1, ours: true})")
    worker.wait(lambda report: (report["error"] or {}).get("reason") == "ConstraintViolated")
    seen = worker.report["schemaSeen"]
    worker.wait(lambda report: report["schemaSeen"] > seen + 2)
    assert made_by_users(target) == made_by_users(source)
    target.query("MATCH (n:Person {uid: 1}) DELETE n")
    worker.caught_up()
    assert target.query("MATCH (n:Person {ours: true}) RETURN count(n) AS n") == [{"n": 1}]


def test_the_last_act_of_a_link_is_a_look_at_the_schema(source: Neo4j, target: Neo4j, start: Start) -> None:
    source.query("CREATE (:Person {uid: 1})")
    worker = start()
    worker.caught_up()
    worker.wait(lambda report: report["schemaSeen"] > 0)
    source.query(FIRST[0])
    source.query(FIRST[4])
    assert worker.finish() == 0
    assert made_by_users(target) == made_by_users(source)
