"""What a backup worker is started with: read back by the worker itself, and kept out of every log."""

from __future__ import annotations

from dataclasses import replace

from neo4j_dr_operator.backup.config import BackupConfig
from neo4j_dr_operator.backup.retention import Retention
from neo4j_dr_operator.backup.supervision import BackupPlan
from neo4j_dr_operator.graph.bolt import Endpoint
from neo4j_dr_operator.objectstore.objects import Encryption
from neo4j_dr_operator.objectstore.s3 import S3Address

SOURCE = Endpoint("bolt://db:7687", "neo4j", "a-password")
TO = S3Address("bucket", "path", "us-east-1", "http://s3:9000", "an-access-key", "a-secret-key", "a-token")
PLAN = BackupPlan(7, "ns/dr", "secondary", 3, SOURCE, TO, 30.0)


def test_the_worker_reads_what_the_parent_writes() -> None:
    config = BackupConfig.parse(replace(PLAN, encrypted=True, kms_key="key", retention="30d").line())
    assert (config.archive, config.epoch, config.site, config.timeout) == ("ns/dr", 3, "secondary", 30.0)
    assert config.destination == TO
    assert (config.source.uri, config.source.password) == (SOURCE.uri, SOURCE.password)
    assert (config.encryption, config.retention) == (Encryption("key"), Retention.parse("30d"))
    plain = BackupConfig.parse(PLAN.line())
    assert (plain.encryption, plain.retention) == (None, None)
    assert PLAN.line().endswith(b"}\n")
    assert PLAN.line().count(b"\n") == 1


def test_nothing_secret_is_in_a_name_or_a_representation() -> None:
    for text in (PLAN.name, repr(PLAN), str(PLAN)):
        for secret in ("a-password", "a-secret-key", "a-token"):
            assert secret not in text


def test_another_number_credential_or_retention_is_another_child() -> None:
    renewed = replace(PLAN, destination=replace(TO, secret_key="another"))
    for other in (replace(PLAN, number=8), replace(PLAN, retention="7"), renewed):
        assert other.identity() != PLAN.identity()
    assert replace(PLAN, number=8, retention="7").same_way(PLAN), "it would fail as this one did"
    assert not renewed.same_way(PLAN)
    assert not replace(PLAN, epoch=4).same_way(PLAN)
