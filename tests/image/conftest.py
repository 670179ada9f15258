"""Fixtures of the image tests: the image built from the tree as it is, and an API server set up from the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab import ControlPlane, Lab
from lab import image as images
from lab.container import Container
from lab.image import Image
from lab.manifests import MANIFESTS, NAMESPACE

pytest_plugins = ["lab.fixtures"]
ACCOUNT = "neo4j-operator-controller-manager"


@pytest.fixture(scope="session", autouse=True)
def possible() -> None:
    """Skip everything, with the reason in words, where no image can be built and started."""
    reason = images.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def image(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, unpacked; nobody writes to it."""
    return images.unpack(images.archive(), tmp_path_factory.mktemp("image") / "rootfs")


@pytest.fixture(scope="session")
def plane(lab: Lab) -> ControlPlane:
    """An API server with everything of ``deploy/manifests``, and every request on record."""
    plane = lab.add(ControlPlane("image", audit=True))
    plane.kubectl("apply", "--validate=strict", "-f", str(MANIFESTS))
    return plane


@pytest.fixture
def container(lab: Lab, plane: ControlPlane, possible: None) -> Iterator[Container]:
    """The operator as its pod would run: own user, own service account, all namespaces."""
    token = plane.kubectl("-n", NAMESPACE, "create", "token", ACCOUNT).stdout.strip()
    ca = Path(plane.home / "pki" / "ca.crt").read_text()
    running = Container(f"operator-{uuid4().hex[:6]}", api=("127.0.0.1", plane.port), token=token, ca=ca)
    lab.start(running)
    yield running
    running.kill9()
