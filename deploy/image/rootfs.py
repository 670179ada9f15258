"""Lay out the root file system of the image: an interpreter, its closure, a prefix of packages; no shell, no tools.

Run by the Dockerfile inside the base image, with the standard library only. What is copied keeps its path, symbolic
links on the way to it included, so that the loader's cache and the interpreter's own paths stay true. For every
Debian package of which a file was copied its record goes to ``var/lib/dpkg/status.d``, where scanners look in images
without a package manager.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

USER = 65532
"""User and group of the operator; the number that images without a shell commonly use."""
LEFT_OUT = {
    "__pycache__", "curses", "dbm", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "site-packages", "sqlite3", "test", "tests", "tkinter", "turtledemo", "venv",
}  # fmt: skip
"""Directories of the standard library and of packages that a server never loads."""
UNUSED_EXTENSIONS = re.compile(
    r"(_?curses|_curses_panel|_crypt|_dbm|_gdbm|_sqlite3|_tkinter|nis|readline|_test\w*|xx\w*)\."
)
"""Modules in C that a server never loads, and that would bring libraries (databases, terminals, NIS) with them."""
UNUSED_PACKAGES = {("kubernetes", "aio"), ("numpy", "f2py")}
"""Parts of packages, as big as the rest of them, that the operator never imports: parent and name."""
AWS_MODELS = {"s3", "sts", "sso", "sso-oidc", "signin"}
"""Services of botocore that are kept: storage, and what its chain of credentials asks."""
FILES = {
    "etc/passwd": f"operator:x:{USER}:{USER}::/:/none\n",
    "etc/group": f"operator:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
START = """\
#!{python}
import sys

from neo4j_dr_operator.__main__ import main

sys.exit(main())
"""


class Rootfs:
    """A root file system in the making."""

    def __init__(self, root: Path) -> None:
        """``root`` is made; it must not exist."""
        self.root = root
        self.copied: set[Path] = set()
        root.mkdir(mode=0o755)

    def inside(self, path: Path) -> Path:
        """Where an absolute path of the base lies in the new root."""
        return self.root / path.relative_to("/")

    def file(self, path: Path) -> None:
        """Copy one file and every symbolic link on the way to it. Nothing happens when it is there already."""
        if path in self.copied:
            return
        self.copied.add(path)
        for part in (*reversed(path.parents), path):
            target = self.inside(part)
            if part.is_symlink():
                if not target.is_symlink():
                    target.symlink_to(os.readlink(part))
                followed = Path(os.path.normpath(part.parent / os.readlink(part)))
                self.file(followed / path.relative_to(part))
                return
            if part.is_dir():
                target.mkdir(mode=0o755, exist_ok=True)
            elif not target.exists():
                shutil.copy2(part, target)
                target.chmod(0o755 if _is_elf(part) else 0o644)  # a script is not to be started by its name

    def tree(self, path: Path, wanted: Callable[[Path], bool]) -> None:
        """Copy a directory without those entries that are not ``wanted`` (a directory: nothing below it)."""
        for entry in sorted(path.iterdir()):
            if not wanted(entry):
                continue
            if entry.is_dir() and not entry.is_symlink():
                self.tree(entry, wanted)
            else:
                self.file(entry)

    def libraries(self) -> None:
        """Copy every shared library that a copied file needs, the loader included."""
        binaries = sorted(str(path) for path in self.copied if path.is_file() and _is_elf(path))
        output = subprocess.run(["ldd", *binaries], stdout=subprocess.PIPE, text=True, check=False).stdout
        missing = set(re.findall(r"\t(\S+) => not found", output))
        if missing:
            raise SystemExit(f"shared libraries that the base does not have: {', '.join(sorted(missing))}")
        for found in sorted(set(re.findall(r"(?:=> |\t)(/\S+) \(0x", output))):
            self.file(Path(found))

    def packages(self) -> None:
        """Write the records of the Debian packages whose files were copied."""
        if shutil.which("dpkg-query") is None:
            return
        real = sorted({str(path.resolve()) for path in self.copied})
        asked = real + [path.removeprefix("/usr") for path in real if path.startswith("/usr/lib")]  # before usrmerge
        command = ["dpkg-query", "--search", *asked]
        output = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        ).stdout
        names = {name.strip() for line in output.splitlines() for name in line.rsplit(": ", 1)[0].split(",")}
        folder = self.root / "var/lib/dpkg/status.d"
        folder.mkdir(parents=True)
        for name in sorted(name for name in names if not name.startswith("diversion ")):
            record = subprocess.run(["dpkg-query", "--status", name], stdout=subprocess.PIPE, check=True).stdout
            (folder / name.partition(":")[0]).write_bytes(record)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _library_file(entry: Path) -> bool:
    if entry.name in LEFT_OUT or entry.name.startswith("config-") or UNUSED_EXTENSIONS.match(entry.name):
        return False
    return entry.suffix not in {".a", ".pyc", ".pyi", ".exe"}


def _prefix_file(entry: Path) -> bool:
    """Of the packages: no tests, no stubs, no models of services that nobody asks."""
    if entry.parent.parts[-2:] == ("botocore", "data") and entry.is_dir():
        return entry.name in AWS_MODELS
    if entry.parent.name == "bin":
        return entry.name.startswith("python")  # no scripts: of their shebangs most need a shell or are never called
    if (entry.parent.name, entry.name) in UNUSED_PACKAGES or entry.name in {"__pycache__", "tests"}:
        return False
    return entry.suffix not in {".a", ".pyc", ".pyi", ".exe"}


def _interpreter_extras() -> Iterable[Path]:
    """What is loaded by name at run time, so that no list of needed libraries has it."""
    yield from (
        Path(name) for name in ("/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/ssl/certs/ca-certificates.crt")
    )
    listed = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in ("libgcc_s.so.1",):  # glibc loads it when a thread ends
        yield from (Path(found) for found in re.findall(rf"^\t{re.escape(name)} .* => (\S+)$", listed, re.M)[:1])


def main() -> None:
    """Make the root file system and print its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", type=Path, required=True, help="virtual environment with the packages")
    parser.add_argument("--package", type=Path, required=True, help="the operator's package")
    parser.add_argument("--license", type=Path, required=True, help="license of the operator")
    parser.add_argument("root", type=Path)
    options = parser.parse_args()
    os.umask(0o022)
    python = options.prefix / "bin" / "python3"
    site = Path(subprocess.check_output([python, "-c", SITE], text=True).strip())
    shutil.copytree(options.package, site / options.package.name, dirs_exist_ok=True)

    made = Rootfs(options.root)
    made.tree(Path(sysconfig.get_path("stdlib")), _library_file)
    made.tree(options.prefix, _prefix_file)
    for extra in _interpreter_extras():
        made.file(extra)
    made.libraries()
    made.packages()
    for name, text in FILES.items():
        (made.root / name).write_text(text)
    for name, mode in (("tmp", 0o1777), ("proc", 0o555), ("sys", 0o555), ("dev", 0o755)):
        (made.root / name).mkdir()
        (made.root / name).chmod(mode)
    start = made.inside(options.prefix) / "bin" / "neo4j-dr-operator"
    start.write_text(START.format(python=python))
    start.chmod(0o755)
    notice = made.root / "usr/share/doc/neo4j-dr-operator/LICENSE"
    notice.parent.mkdir(parents=True)
    shutil.copy(options.license, notice)
    _compile(made.root)
    size = sum(path.lstat().st_size for path in made.root.rglob("*"))
    sys.stdout.write(f"root file system: {size / 1e6:.0f} MB\n")


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def _compile(root: Path) -> None:
    """Bytecode for every module, never compared with its source: the image is read-only."""
    compiled = compileall.compile_dir(
        root, maxlevels=50, quiet=1, workers=0, stripdir=str(root), prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip
    if not compiled:
        raise SystemExit("a module does not compile")


if __name__ == "__main__":
    main()
