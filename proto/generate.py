"""Regenerate ``common/gen`` from the contract files.

``python proto/generate.py`` writes the stubs; with ``--check`` it writes nothing and exits 1 if the
committed stubs differ from what the contract files give, naming the files.
"""

from __future__ import annotations

import filecmp
import importlib.resources
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).parent
GENERATED = PROTO.parent / "common" / "gen"

# protoc writes imports relative to the proto root; the stubs live in common.gen.
_IMPORT = re.compile(r"^(from|import) (taskqueue|testbed)\b", re.MULTILINE)


def generate(target: Path) -> None:
    """Write all stubs below ``target``. Raises ``RuntimeError`` if protoc fails."""
    from grpc_tools import protoc

    well_known = importlib.resources.files("grpc_tools") / "_proto"
    sources = [str(path) for path in sorted(PROTO.rglob("*.proto"))]
    arguments = [f"-I{PROTO}", f"-I{well_known}"]
    arguments += [f"--{kind}_out={target}" for kind in ("python", "grpc_python")]
    arguments += [f"--{kind}_out=quiet:{target}" for kind in ("mypy", "mypy_grpc")]
    if protoc.main(["protoc", *arguments, *sources]) != 0:
        raise RuntimeError("protoc failed; its message is above")
    for path in target.rglob("*.py*"):
        path.write_text(_IMPORT.sub(r"\1 common.gen.\2", path.read_text()))
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()


def differences(left: Path, right: Path) -> list[str]:
    """Name the files that differ between two trees of stubs, relative to their roots."""
    names = {
        path.relative_to(root)
        for root in (left, right)
        for path in root.rglob("*.py*")
        if "__pycache__" not in path.parts
    }
    return sorted(
        str(name)
        for name in names
        if not (left / name).exists()
        or not (right / name).exists()
        or not filecmp.cmp(left / name, right / name, shallow=False)
    )


def main() -> int:
    """Run the command; returns its exit code."""
    # protoc finds its mypy plugins on PATH; they sit beside the interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory() as folder:
        # Below it, for the directory itself is nobody else's to read, and what is copied stays so.
        fresh = Path(folder) / "gen"
        fresh.mkdir()
        generate(fresh)
        if "--check" in sys.argv[1:]:
            stale = differences(fresh, GENERATED)
            for name in stale:
                print(f"common/gen/{name} is not what proto/ gives; run `make generate`")
            return 1 if stale else 0
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(fresh, GENERATED)
        print(f"wrote {sum(1 for _ in GENERATED.rglob('*.py*'))} files to common/gen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
