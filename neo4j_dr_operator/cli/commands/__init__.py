"""The commands, in the order of the help. A new one is a module here that defines ``COMMAND``, and a row below."""

from __future__ import annotations

from neo4j_dr_operator.cli.command import Command
from neo4j_dr_operator.cli.commands.archive import COMMAND as ARCHIVE
from neo4j_dr_operator.cli.commands.backup import COMMAND as BACKUP
from neo4j_dr_operator.cli.commands.status import COMMAND as STATUS
from neo4j_dr_operator.cli.commands.verify import COMMAND as VERIFY
from neo4j_dr_operator.cli.commands.version import COMMAND as VERSION

COMMANDS: tuple[Command, ...] = (STATUS, VERIFY, BACKUP, ARCHIVE, VERSION)
