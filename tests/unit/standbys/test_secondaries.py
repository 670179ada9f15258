"""Items of spec.secondaryClusters inherit by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neo4j_dr_operator.api.disaster_recovery import DisasterRecoverySpec, SecondaryCluster
from neo4j_dr_operator.api.replication import ReplicationTopology, TopologyEdge
from neo4j_dr_operator.standbys.secondaries import (
    LayoutRefused,
    Standby,
    as_pair,
    clusters_named,
    exchanged,
    inherit,
    kept,
    lay_out,
    pair_of,
    standbys,
    unknown,
)
from tests.guide import find, manifest


def items(text: str) -> list[SecondaryCluster]:
    spec = yaml.safe_load(text)["spec"]
    return DisasterRecoverySpec.read({"primaryClusterRef": "primary-cluster", **spec}).secondary_clusters or []


def test_the_guides_smaller_standby_is_the_one_known_by_that_name() -> None:
    before = inherit(items(manifest("multi-region setup")), [])
    assert unknown(before) is None
    after = inherit(items(find("resource scaling", "yaml")[0].text), before)
    assert after == [
        {"name": "secondary-us-west", "clusterRef": "secondary-cluster-west", "region": "us-west-2", "priority": 1}
    ]
    assert unknown(after) is None


def test_the_line_of_the_errata_makes_one_standby_small_and_keeps_the_other() -> None:
    """The fragment as a merge patch takes the other one away, to which the topology still points."""
    whole, fragment = yaml.safe_load(manifest("multi-region setup")), find("resource scaling", "yaml")[0].text
    small = yaml.safe_load(fragment)["spec"]["secondaryClusters"]
    known = inherit(items(manifest("multi-region setup")), [])
    with pytest.raises(LayoutRefused, match="names eu-west-1, and no item"):
        pair_of({"spec": {**whole["spec"], "secondaryClusters": small}, "status": {"secondaryClusters": known}}, {})
    page = (Path(__file__).parents[3] / "docs/guide-errata.md").read_text(encoding="utf-8")
    first, *adds = json.loads(page.partition("--type=json -p '")[2].partition("'")[0])
    item = whole["spec"]["secondaryClusters"][0]
    assert (first["op"], first["path"], first["value"]) == ("test", "/spec/secondaryClusters/0/name", item["name"])
    for add in adds:
        folder, _, field = add["path"].rpartition("/")
        assert (add["op"], folder) == ("add", "/spec/secondaryClusters/0")
        item[field] = add["value"]
    assert {**item, **small[0]} == item, "all that the fragment says"
    assert pair_of(whole, {}).secondary_cluster_ref == "secondary-cluster-west"


def test_an_unknown_name_needs_a_cluster() -> None:
    found = unknown(inherit(items(find("resource scaling", "yaml")[0].text), []))
    assert found is not None
    assert "secondary-us-west: clusterRef is needed" in found


def test_what_an_item_says_wins() -> None:
    known = [{"name": "x", "clusterRef": "old", "region": "r", "priority": 3}]
    assert inherit([SecondaryCluster(name="x", priority=1)], known) == [
        {"name": "x", "clusterRef": "old", "region": "r", "priority": 1}
    ]


def test_a_cluster_is_not_exchanged_in_two_steps() -> None:
    """The guide's fragment leaves the reference out of the spec; then the API server has nothing to compare."""
    known = inherit(items(manifest("multi-region setup")), [])
    without = items(find("resource scaling", "yaml")[0].text)
    known = inherit(without, known)
    assert exchanged(without, known) is None
    other = [each.model_copy(update={"cluster_ref": "another-cluster"}) for each in without]
    said = exchanged(other, known)
    assert said is not None
    assert "secondary-us-west: clusterRef is another-cluster" in said
    assert "secondary-cluster-west and cannot be exchanged" in said
    assert inherit(other, known) == known, "what is told stays, so the next look refuses it as well"
    same = [each.model_copy(update={"cluster_ref": "secondary-cluster-west"}) for each in without]
    assert exchanged(same, known) is None
    assert exchanged(other, []) is None, "a name that was taken away is free again"


def spec(replication: dict[str, Any] | None = None, **other: Any) -> DisasterRecoverySpec:
    return DisasterRecoverySpec.read(
        {
            "primaryClusterRef": "p",
            "secondaryClusters": [{"name": "x", "clusterRef": "cx"}],
            "replication": replication or {},
        }
        | other
    )


def cascade(**sources: str) -> dict[str, Any]:
    """Topology below region r0; regions in the order given."""
    edges = [{"region": region, "source": source} for region, source in sources.items()]
    return {"mode": "cascading", "topology": {"primary": "r0", "secondaries": edges}}


def one(number: int, priority: int | None = None, region: str | None = None) -> Standby:
    return Standby(f"s{number}", f"c{number}", region or f"r{number}", priority)


def refusal(*args: Any, **named: Any) -> str:
    with pytest.raises(LayoutRefused) as refused:
        lay_out(*args, **named)
    assert refused.value.reason == "InvalidTopology"
    return refused.value.message


def test_the_guides_cascade() -> None:
    wanted = DisasterRecoverySpec.read(yaml.safe_load(manifest("multi-region setup"))["spec"])
    found = standbys(inherit(wanted.secondary_clusters or [], []), {})
    layout = lay_out(wanted, found, "us-east-1")
    assert layout.secondary.cluster == "secondary-cluster-west"
    assert [(f.name, f.source, f.link) for f in layout.followers] == [
        ("secondary-eu-west", "secondary", "secondary>secondary-eu-west")
    ]
    pair = as_pair(wanted, layout)
    assert pair.cluster_of("secondary") == "secondary-cluster-west"
    assert (pair.region_of("primary"), pair.region_of("secondary")) == ("us-east-1", "us-west-2")


def test_in_direct_mode_every_follower_follows_the_primarys_cluster() -> None:
    layout = lay_out(spec(), standbys([{"name": f"s{i}", "clusterRef": f"c{i}"} for i in range(3)], {}))
    assert (layout.secondary.name, [f.link for f in layout.followers]) == ("s0", ["primary>s1", "primary>s2"])


def test_the_lowest_priority_takes_over_until_the_first_epoch_has_settled_it() -> None:
    found = standbys(
        [{"name": "a", "clusterRef": "a"}, {"name": "b", "clusterRef": "b", "priority": 9}], {"a": "ra", "b": "rb"}
    )
    assert lay_out(spec(), found).secondary == Standby("b", "b", "rb", 9)
    assert lay_out(spec(), found, pinned="a").secondary.name == "a"
    assert "lacks gone, which is the standby that takes over" in refusal(spec(), found, pinned="gone")


@pytest.mark.parametrize(
    ("said", "topology", "found"),
    [
        ("names r2, and no item", cascade(r1="r0", r2="r0"), [one(1)]),
        ("lacks r2, the region of s2", cascade(r1="r0"), [one(1), one(2)]),
        ("s1 takes over when the primary is lost", cascade(r1="r2", r2="r0"), [one(1, 1), one(2, 2)]),
        ("s2, s3 follow each other in a circle", cascade(r1="r0"), [one(1), one(2), one(3)]),
        ("where s1 and s2 are: it can be only one", cascade(r1="r0", r3="r1"), [one(1), one(2, region="r1"), one(3)]),
        ("region is needed", cascade(r1="r0"), [one(1), Standby("s2", "c2")]),
        ("clusterRef c1 is that of s1 already", cascade(r1="r0"), [one(1), Standby("s2", "c1", "r1")]),
        ("clusterRef p is that of primaryClusterRef", {}, [Standby("s1", "p")]),
        ("primary is the name of a site", {}, [one(1), Standby("primary", "c2")]),
        ("topology.primary is r0, but p is in r9", cascade(r1="r0"), [one(1)]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(said: str, topology: dict[str, Any], found: list[Standby]) -> None:
    wanted = spec(topology)
    if "circle" in said:  # the model refuses circles itself; the rule below it must not rely on that
        edges = [("r1", "r0"), ("r2", "r3"), ("r3", "r2")]
        made = ReplicationTopology.model_construct(
            primary="r0", secondaries=[TopologyEdge(region=region, source=source) for region, source in edges]
        )
        wanted = wanted.model_copy(update={"replication": wanted.replication.model_copy(update={"topology": made})})
    assert said in refusal(wanted, found, "r9" if "r9" in said else None)


@given(st.data())
def test_every_tree_is_laid_out_with_each_follower_after_its_source(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    sources = {"r1": "r0"} | {
        f"r{i}": f"r{data.draw(st.integers(0, i - 1))}" for i in data.draw(st.permutations(range(2, count + 1)))
    }
    found = data.draw(st.permutations([one(i, 1 if i == 1 else i + 1) for i in range(1, count + 1)]))
    layout = lay_out(spec(cascade(**sources)), standbys([entry(each) for each in found], {}))
    assert layout.secondary.name == "s1"
    names = {"r0": "primary", "r1": "secondary"} | {f"r{i}": f"s{i}" for i in range(2, count + 1)}
    assert {f.name: f.source for f in layout.followers} == {
        f"s{i}": names[sources[f"r{i}"]] for i in range(2, count + 1)
    }
    known = {"primary", "secondary"}
    for follower in layout.followers:
        assert follower.source in known
        known.add(follower.name)


def entry(standby: Standby) -> dict[str, Any]:
    named = {"region": standby.region, "priority": standby.priority}
    return {"name": standby.name, "clusterRef": standby.cluster} | named


def test_clusters_are_named_also_where_they_are_inherited() -> None:
    items = [{"name": "a", "clusterRef": "ca"}, {"name": "b"}]
    body = {
        "spec": {"primaryClusterRef": "p", "secondaryClusters": items},
        "status": {"secondaryClusters": [{"name": "b", "clusterRef": "cb"}, {"name": "gone", "clusterRef": "cg"}]},
    }
    assert clusters_named(body) == {"p", "ca", "cb"}
    items[1]["clusterRef"] = "other"
    assert clusters_named(body) == {"p", "ca", "cb"}, "an exchange is refused"
    assert clusters_named({"spec": {"primaryClusterRef": "p", "secondaryClusterRef": "s"}}) == {"p", "s"}


def test_while_nothing_is_decided_what_was_told_stays() -> None:
    stored = [{"name": "a", "clusterRef": "ca", "state": "streaming"}, {"name": "b", "clusterRef": "cb"}]
    assert kept([{"name": "a", "clusterRef": "other"}], stored) == [
        {"name": "a", "clusterRef": "other", "state": "streaming"},
        {"name": "b", "clusterRef": "cb"},
    ]
