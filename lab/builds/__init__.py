"""The programs the lab runs, built from public source modules into the cache, checked before every use.

``ensure`` is the whole interface: it blocks until the named artifacts are there. An artifact lives in
``CACHE/builds/NAME-KEY``; the key is a digest of everything it is made from (see ``recipes``), and ``SHA256SUMS``,
written last, says that the build was finished and what came out of it.
"""

from __future__ import annotations

import concurrent.futures
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from lab import cache
from lab.builds.progress import Progress
from lab.builds.recipes import KEY_DIGITS, RECIPES, Recipe, abandon

SUMS = "SHA256SUMS"
UNUSED = 14 * 86400.0


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Build what is missing of these artifacts and return their directories by name.

    Builds of different tools run beside each other, Go builds one after the other (each uses all cores). Safe to
    call from several threads and processes at once: the second caller waits for the first one's result.
    Raises ``BuildError`` with the end of the tool's output.
    """
    wanted = list(dict.fromkeys(names))
    with concurrent.futures.ThreadPoolExecutor(max(1, len(wanted))) as pool:
        try:
            return dict(zip(wanted, pool.map(_one, wanted), strict=True))
        except (KeyboardInterrupt, SystemExit):
            abandon()  # else leaving the pool would wait for minutes
            raise


def program(name: str) -> Path:
    """Path of an executable whose artifact has its name (built when missing)."""
    return ensure([name])[name] / name


def present(name: str) -> bool:
    """Whether the artifact is in the cache already (its sums are not checked)."""
    return (_folder(RECIPES[name]) / SUMS).exists()


def _folder(recipe: Recipe) -> Path:
    return cache.folder("builds") / f"{recipe.name}-{recipe.key()}"


def _one(name: str) -> Path:
    return make(RECIPES[name])


def make(recipe: Recipe) -> Path:
    """Directory of an artifact that need not be among ``RECIPES``, built when missing. Raises ``BuildError``."""
    needs = ensure(recipe.needs) if recipe.needs else {}
    folder = _folder(recipe)
    if not intact(folder):
        with cache.locked(f"build-{recipe.name}"):
            if not _verify(folder):
                _build(recipe, folder, needs)
    return folder


@functools.cache
def intact(folder: Path) -> bool:
    """Whether a finished build is there and every file still has its digest (looked at once a process)."""
    good = _verify(folder)
    if good:
        os.utime(folder / SUMS)  # in use: see _forget
    return good


def _verify(folder: Path) -> bool:
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except FileNotFoundError:
        return False
    sums = [line.split("  ", 1) for line in lines]
    return all((folder / file).is_file() and cache.sha256(folder / file) == digest for digest, file in sums)


def _build(recipe: Recipe, folder: Path, needs: dict[str, Path]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with (
        Progress(recipe.name, recipe.cold) as progress,
        cache.locked(f"tool-{recipe.tool}"),
        tempfile.TemporaryDirectory(prefix="build-", dir=cache.folder("tmp")) as work,
    ):
        progress.begin()
        try:
            recipe.build(folder, Path(work), needs)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    text = "".join(f"{cache.sha256(path)}  {path.relative_to(folder)}\n" for path in files)
    half = folder / f".{SUMS}"
    half.write_text(text)
    half.replace(folder / SUMS)
    intact.cache_clear()
    _forget(recipe.name, folder)


def _forget(name: str, current: Path) -> None:
    """Remove builds of the same name that nobody has used for ``UNUSED`` seconds."""
    for old in cache.folder("builds").glob(f"{name}-{'[0-9a-f]' * KEY_DIGITS}"):
        sums = old / SUMS
        if old != current and sums.exists() and time.time() - sums.stat().st_mtime > UNUSED:
            shutil.rmtree(old, ignore_errors=True)
