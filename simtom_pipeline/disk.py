"""Full disks: which errors come of one, what to say of it, and files that are written whole or not at all.

Promise: nothing but the standard library is imported; errors of DuckDB and SQLite are known by their words.
"""

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
WORDS = re.compile("No space left on device|Disk quota exceeded|database or disk is full")
VAGUE_WORDS = re.compile("disk I/O error|unable to open database file")
"""What SQLite says where it could not undo what a full disk had stopped: only the disk tells why."""
NEXT_TO_NOTHING = 1_000_000


def is_full(error: BaseException, *places: Path) -> bool:
    """Whether the error, or one that it came of, is that a disk is full: at best that of the `places`."""
    words = [WORDS]
    if any(_free_bytes(place) < NEXT_TO_NOTHING for place in places):
        words.append(VAGUE_WORDS)
    return any(
        (isinstance(one, OSError) and one.errno in FULL) or any(said.search(str(one)) for said in words)
        for one in _origins(error)
    )


def describe_full(error: BaseException, *places: Path) -> str:
    """Name the disk that is full: of the file that the error names, else the fullest of the `places`."""
    named = [place for one in _origins(error) for place in _places_named(one)]
    place = (named or sorted(places, key=_free_bytes))[0]
    disk, free = mount_point(place), _free_bytes(place)
    return f"The disk at {disk} is full ({free / 1e6:,.1f} MB free): {place} could not be written."


def write_whole(file: Path, content: bytes) -> None:
    """Write a file that is either there with all its content or, if there is no room for it, as it was.

    Who may read a file that was there is as before.
    """
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        if file.exists():
            shutil.copymode(file, unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def mount_point(path: Path) -> Path:
    """Where the disk that the path is on, or would be on, is mounted."""
    return next(folder for folder in _folders(path) if folder.is_mount())


def _origins(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what it was raised in the midst of, and so on."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            waiting += [one.__cause__, one.__context__]


def _places_named(error: BaseException) -> list[Path]:
    if isinstance(error, OSError) and error.filename:
        return [Path(str(error.filename))]
    return [Path(name) for name in re.findall('file "(/[^"]+)"', str(error))]


def _free_bytes(path: Path) -> int:
    return next(shutil.disk_usage(folder).free for folder in _folders(path) if folder.exists())


def _folders(path: Path) -> list[Path]:
    absolute = path.absolute()
    return [absolute, *absolute.parents]
