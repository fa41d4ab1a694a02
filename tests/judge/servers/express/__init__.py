"""The server in Express, where node is: its libraries are installed once per user."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "package.json"
INSTALL_SECONDS = 300.0
NPM = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")


def is_possible() -> bool:
    return shutil.which("node") is not None and shutil.which("npm") is not None


def become(name: str, port: int) -> None:
    """Go on as node, in this process."""
    environ = os.environ | {"NODE_PATH": str(installed() / "node_modules")}
    script = str(FOLDER / "server.cjs")
    os.execvpe("node", ["node", script, name, str(port)], environ)


def installed() -> Path:
    """Return the folder with what package.json asks for, outside of the checkout."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = hashlib.sha256(PACKAGE.read_bytes()).hexdigest()[:12]
    home = cache / "wallet-judge" / f"express-{version}"
    if not home.exists():
        _install(home)
    return home


def _install(home: Path) -> None:
    """Install beside it and move it there whole: several may do so at a time."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        new = Path(folder, "new")
        new.mkdir()
        shutil.copy(PACKAGE, new)
        subprocess.run(NPM, cwd=new, check=True, timeout=INSTALL_SECONDS)
        with contextlib.suppress(OSError):  # another was first
            new.rename(home)
