"""Real S3 servers over a directory: versitygw, and MinIO where objects are to be encrypted."""

from __future__ import annotations

import base64
import functools
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab import builds, pki
from lab.component import Component

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class S3(Component):
    """An S3 endpoint with one account. Buckets are addressed by path, create-only and compare-and-set puts work.

    It ignores requests for encryption without an error: its answers name none. ``users``: more accounts, which may do
    what a bucket's policy allows them by these names (``AWS`` principals).
    """

    READY_WITHIN = 20.0
    region = "us-east-1"

    def __init__(
        self,
        name: str = "s3",
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        users: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        self.users = {user: secrets.token_hex(20) for user in users}
        """Secret keys of the other accounts."""
        self.access_key = access_key or secrets.token_hex(8)
        self.secret_key = secret_key or secrets.token_hex(20)
        self.port = 0

    def artifacts(self) -> Sequence[str]:
        """See ``Component.artifacts``."""
        return ("versitygw",)

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self.port = self.new_port()

    @property
    def endpoint(self) -> str:
        """URL of the service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The SDK's standard variables that lead to this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def launch(self) -> None:
        """See ``Component.launch``."""
        data = self.home / "data"
        data.mkdir(exist_ok=True)
        # credentials by environment: a command line can be read by every user of the machine
        env = {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        command: list[str | Path] = [
            builds.program("versitygw"),
            "--port",
            f"127.0.0.1:{self.port}",
            "--region",
            self.region,
        ]
        if self.users:
            command += ["--iam-dir", self._accounts()]
        self.spawn("server", [*command, "--quiet", "posix", data], env)
        self.await_answer("list buckets", self._answers)

    def _accounts(self) -> Path:
        """The directory in which the server finds them."""
        folder = self.home / "accounts"
        folder.mkdir(exist_ok=True)
        rows = {user: {"access": user, "secret": secret, "role": "user"} for user, secret in self.users.items()}
        pki.write_private(folder / "users.json", json.dumps({"accessAccounts": rows}).encode())
        return folder

    def client(self, endpoint: str | None = None) -> S3Client:
        """A boto3 client, also through a proxy (``endpoint``)."""
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10
            ),
        )
        return client

    def make_bucket(self, bucket: str) -> str:
        """Make a bucket and return its name."""
        self._client.create_bucket(Bucket=bucket)
        return bucket

    @functools.cached_property
    def _client(self) -> S3Client:
        return self.client()

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True


class MinIO(S3):
    """An S3 endpoint that does encrypt, with its own keys (``AES256``) or with the one KMS key ``key_id``.

    Its build takes minutes and is in no list of what demo and tests need: what uses it has it made.
    """

    READY_WITHIN = 60.0
    key_id = "lab-key"

    def artifacts(self) -> Sequence[str]:
        """See ``Component.artifacts``."""
        return ("minio",)

    def launch(self) -> None:
        """See ``Component.launch``."""
        data = self.home / "data"
        data.mkdir(exist_ok=True)
        secret = self.home / "kms-key"
        if not secret.exists():
            secret.touch(0o600)
            secret.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
        env = {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_REGION": self.region,
            "MINIO_KMS_SECRET_KEY": f"{self.key_id}:{secret.read_text()}",
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        command: list[str | Path] = [builds.program("minio"), "server", "--quiet", "--json"]
        self.spawn("server", [*command, "--address", f"127.0.0.1:{self.port}", data], env)
        self.await_answer("list buckets", self._answers)
