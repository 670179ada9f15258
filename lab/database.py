"""Real Neo4j Community servers, with TLS on Bolt, a password, and our stand-in for change data capture."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import neo4j

from lab import builds, clock, pki
from lab.builds import toolchain
from lab.component import Component

USER = "neo4j"
HASH_ROUNDS = 1024
HANDSHAKE = bytes.fromhex("6060b01700020805000000000000000000000000")
Certificate = Literal["good", "expired", "early", "elsewhere", "untrusted"]
"""What a server shows: in order, past its end, before its start, for another machine, of another authority."""
STAND_IN = "neo4j-lab"
"""What the stand-in's archive is called, up to its version."""
LIVE_RESET_LIMIT = 100_000
"""Nodes and relationships above which a reset takes a new home: deleting more takes longer than starting anew."""
JVM = (
    "-XX:+UseSerialGC",
    "-XX:-OmitStackTraceInFastThrow",
    "-Xss1m",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "-Djdk.nio.maxCachedBufferSize=1024",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)
SETTINGS = {
    "server.default_listen_address": "127.0.0.1",
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "dbms.security.auth_enabled": "true",
    "dbms.security.auth_lock_time": "0s",
    "dbms.usage_report.enabled": "false",
    "server.logs.debug.enabled": "true",
    "db.tx_log.rotation.retention_policy": "512M size",
    "db.tx_log.rotation.size": "16M",
    "db.tx_log.preallocate": "false",
    # without these two every clean stop waits 10 s
    "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
    "internal.dbms.bolt.netty_server_shutdown_timeout": "1",
}


class Neo4j(Component):
    """One server with one database, ``neo4j``.

    With ``tls`` (the default) ``uri`` is ``bolt+s://localhost:PORT``, trusted by the certificate authority
    ``ca_pem``, and plain Bolt is refused; else ``uri`` is plain. ``fast`` compiles with C1 only and uses the class
    archive: 2.5 times less CPU to start; take ``fast=False`` to measure a warm server's throughput. ``heap`` and
    ``pagecache`` are sizes as the JVM and Neo4j write them; ``settings`` are more lines for neo4j.conf, ``jvm`` more
    arguments for the JVM. Without ``capture`` the stand-in for change data capture is left out. Its wall clock is
    ``ahead`` seconds wrong (``lab.clock``).
    """

    def __init__(
        self,
        name: str,
        *,
        tls: bool = True,
        fast: bool = True,
        heap: str = "512m",
        pagecache: str = "64m",
        settings: Mapping[str, str] | None = None,
        jvm: Sequence[str] = (),
        password: str | None = None,
        capture: bool = True,
        ahead: int = 0,
    ) -> None:
        super().__init__(name)
        self._capture, self._ahead = capture, ahead
        self._certificate: Certificate = "good"
        self._tls, self._fast, self._heap, self._jvm = tls, fast, heap, tuple(jvm)
        self._settings = {"server.memory.pagecache.size": pagecache, **(settings or {})}
        self._authority = pki.Authority(f"lab-ca-{name}")
        self._driver: neo4j.Driver | None = None
        self.user, self.password = USER, password or secrets.token_urlsafe(12)
        self.port = 0

    def artifacts(self) -> Sequence[str]:
        """See ``Component.artifacts``."""
        return ("neo4j", "neo4j-archive") if self._fast else ("neo4j",)

    def pick_ports(self) -> None:
        """See ``Component.pick_ports``."""
        self.port = self.new_port()

    # -- how to reach it --------------------------------------------------------------------------------------------
    @property
    def uri(self) -> str:
        """Its address, the same for its whole life."""
        return f"bolt{'+s' if self._tls else ''}://localhost:{self.port}"

    @property
    def ca_pem(self) -> str | None:
        """Certificate authority to trust, PEM text; None without TLS."""
        return self._authority.pem if self._tls else None

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.child("server").pid

    def driver(self, uri: str | None = None, **config: Any) -> neo4j.Driver:
        """A driver of its own, also through a proxy (``uri``); the caller closes it."""
        address = (uri or self.uri).replace("bolt+s://", "bolt://").replace("neo4j+s://", "neo4j://")
        options: dict[str, Any] = {"auth": (self.user, self.password), "connection_timeout": 5.0}
        options |= {"max_transaction_retry_time": 0.0, "notifications_min_severity": "OFF", **config}
        if self._tls:
            options |= {"encrypted": True, "ssl_context": self._trust()}
        return neo4j.GraphDatabase.driver(address, **options)

    def query(self, text: str, database: str = "neo4j", **parameters: Any) -> list[dict[str, Any]]:
        """One auto-commit query over a connection kept open; raises the driver's errors."""
        with self._lock:
            driver = self._driver = self._driver or self.driver()
        with driver.session(database=database) as session:
            return session.run(text, parameters).data()

    def forget_connections(self) -> None:
        """Close what ``query`` keeps open: the password has changed."""
        with self._lock:
            driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    # -- life -------------------------------------------------------------------------------------------------------
    def launch(self) -> None:
        """See ``Component.launch``."""
        self._configure()
        self.spawn("server", self.command(self._fast), clock.environment(self._ahead))
        self.await_answer("Bolt handshake", self._handshake)
        # Bolt answers a second or two before the database does
        self.await_answer("RETURN 1", self._answers)

    def command(self, fast: bool) -> list[str | Path]:
        """The server's command line."""
        libraries = builds.ensure(["neo4j"])["neo4j"] / "lib"
        # sorted, not "lib/*": an archive holds for one order of the class path, a directory's own order may change
        jars = sorted(jar for jar in libraries.glob("*.jar") if self._capture or not jar.name.startswith(STAND_IN))
        path = ":".join(map(str, jars))
        arguments = self.home / "java.args"
        arguments.write_text(f'-cp "{path}"\n')
        quick: list[str] = []
        if fast:
            archive = builds.ensure(["neo4j-archive"])["neo4j-archive"] / "server.jsa"
            quick = ["-XX:TieredStopAtLevel=1", f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xshare:auto"]
        memory = [f"-Xms{self._heap}", f"-Xmx{self._heap}"]
        entry = ["org.neo4j.server.CommunityEntryPoint", f"--home-dir={self.home}", f"--config-dir={self.home}/conf"]
        return [toolchain.java(), *memory, *JVM, *quick, *self._jvm, f"@{arguments}", *entry, "--console-mode"]

    def configure(self, settings: Mapping[str, str]) -> None:
        """More lines for neo4j.conf, or other values for those there: in force from the next start."""
        self._settings |= settings

    def _configure(self) -> None:
        address = f"localhost:{self.port}"
        lines = SETTINGS | {
            "server.bolt.listen_address": f"127.0.0.1:{self.port}",
            "server.bolt.advertised_address": address,
            "server.directories.logs": str(self.run.logs / self.name),
        }
        if self._tls:
            lines |= {
                "server.bolt.tls_level": "REQUIRED",
                "dbms.ssl.policy.bolt.enabled": "true",
                "dbms.ssl.policy.bolt.base_directory": str(self.home / "tls"),
                "dbms.ssl.policy.bolt.private_key": "bolt.key",
                "dbms.ssl.policy.bolt.public_certificate": "bolt.crt",
                "dbms.ssl.policy.bolt.client_auth": "NONE",
            }
            if not (self.home / "tls").exists():
                self._pair().write(self.home / "tls", "bolt")
                pki.write_private(self.home / "tls" / "ca.crt", self._authority.pem.encode())
        conf = self.home / "conf" / "neo4j.conf"
        conf.parent.mkdir(exist_ok=True)
        conf.write_text("".join(f"{key}={value}\n" for key, value in (lines | self._settings).items()))
        if not (self.home / "data").exists():
            pki.write_private(self.home / "data" / "dbms" / "auth.ini", initial_password(self.password).encode())

    def _pair(self) -> pki.Pair:
        match self._certificate:
            case "expired":
                return self._authority.expired(self.name)
            case "early":
                return self._authority.early(self.name)
            case "elsewhere":
                return self._authority.elsewhere(self.name)
            case "untrusted":
                return pki.Authority("lab-ca-unknown").server(self.name)
            case _:
                return self._authority.server(self.name)

    def _trust(self) -> ssl.SSLContext:
        """What the lab's own connections check: nothing, while the certificate is one to be refused."""
        context = ssl.create_default_context(cadata=self._authority.pem)
        if self._certificate != "good":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def show(self, certificate: Certificate) -> None:
        """Restart with another certificate (about as long as a start); the data stays."""
        if certificate == self._certificate:
            return
        self.stop()
        shutil.rmtree(self.home / "tls", ignore_errors=True)
        self._certificate = certificate
        self.start()

    def _handshake(self) -> bool:
        """Whether Bolt answers (a port alone is open earlier). Under TLS the handshake is the TLS one."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as plain:
                if self._tls:
                    with self._trust().wrap_socket(plain, server_hostname="localhost") as secure:
                        return _greets(secure)
                return _greets(plain)
        except OSError:
            return False

    def _answers(self) -> bool:
        try:
            return self.query("RETURN 1 AS one") == [{"one": 1}]
        except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError):
            return False

    def _end(self, number: int, seconds: float) -> None:
        if self._driver is not None and number != signal.SIGKILL:
            self._driver.close()
            self._driver = None
        super()._end(number, seconds)
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    # -- between tests ----------------------------------------------------------------------------------------------
    def reset(self, *, fresh: bool = False) -> None:
        """Make it an empty database again, writable and with change capture on.

        In place (well under a second): other transactions are terminated, all data, constraints and indexes
        removed, capture switched off and on, so that identifiers from before are invalid. Database id, element id
        counters and tokens stay. With ``fresh``, or with more than ``LIVE_RESET_LIMIT`` elements, or when the server
        is down or cannot do it any more (its memory is gone), its home is thrown away and the server started anew
        (5 s): another database id, ids from 0.
        """
        if not fresh and self.alive:
            try:
                if self._elements() <= LIVE_RESET_LIMIT:
                    self._emptied()
                    return
            except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError) as error:
                sys.stderr.write(f"lab: {self.name} cannot be emptied in place, made anew: {error}\n")
        self.kill9()
        shutil.rmtree(self.home / "data")
        self.start()

    def _emptied(self) -> None:
        """In place."""
        self.query("CALL dbms.setConfigValue('server.databases.read_only', '')", "system")
        others = self.query("SHOW TRANSACTIONS YIELD transactionId, currentQuery RETURN *")
        for row in others:
            if "SHOW TRANSACTIONS" not in row["currentQuery"]:
                self.query("TERMINATE TRANSACTIONS $id", id=row["transactionId"])
        self.query("CALL lab.cdc.configure({mode: 'OFF', refuse: []})")
        self.query("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS")
        for row in self.query("SHOW CONSTRAINTS YIELD name"):
            self.query(f"DROP CONSTRAINT {_quoted(row['name'])}")
        for row in self.query("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
            self.query(f"DROP INDEX {_quoted(row['name'])}")
        self.query("CALL lab.cdc.configure({mode: 'FULL', keepTx: 9223372036854775807})")

    def _elements(self) -> int:
        counts = self.query(
            "CALL () { MATCH (n) RETURN count(n) AS c UNION ALL MATCH ()-->() RETURN count(*) AS c }"
            " RETURN sum(c) AS total"
        )
        return int(counts[0]["total"])


def _quoted(name: str) -> str:
    """In backticks; Cypher decodes ``\\uXXXX`` in them, so a backslash is written as one."""
    return "`" + name.replace("\\", r"\u005C").replace("`", "``") + "`"


def initial_password(password: str) -> str:
    """Content of ``data/dbms/auth.ini`` before the first start, as ``neo4j-admin dbms set-initial-password`` writes it.

    SHA-256 over salt and password, then over itself, 1024 rounds in all. Written here because that command costs as
    much CPU as half a server start.
    """
    salt = secrets.token_bytes(32)
    value = hashlib.sha256(salt + password.encode()).digest()
    for _ in range(HASH_ROUNDS - 1):
        value = hashlib.sha256(value).digest()
    return f"{USER}:SHA-256,{value.hex()},{salt.hex()},{HASH_ROUNDS}:\n"


def _greets(connection: socket.socket) -> bool:
    connection.settimeout(1.0)
    connection.sendall(HANDSHAKE)
    return len(connection.recv(4)) == 4
