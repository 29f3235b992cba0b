"""The folder that a spool lies in: made where it is missing, and told to the disk."""

from __future__ import annotations

import contextlib
import os


def make_folder(folder: str, *, is_synced: bool) -> None:
    """Make a folder, and those above it, where they are missing. Raises OSError.

    :param is_synced: whether the disk has it when this returns.
    """
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    make_folder(parent, is_synced=is_synced)
    with contextlib.suppress(FileExistsError):  # another process may do the same
        os.mkdir(folder, 0o700)
    if is_synced:
        sync_folder(parent)


def nearest_folder(folder: str) -> str:
    """The folder itself, or the nearest above it that is there."""
    above = os.path.dirname(folder)
    # A drive of Windows' that is not there has nothing above it.
    return folder if folder == above or os.path.exists(folder) else nearest_folder(above)


def sync_folder(folder: str) -> None:
    """Have the disk know which files a folder has. Raises OSError."""
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
