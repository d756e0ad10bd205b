"""Build wheel and sdist, and test both outside the checkout: with the newest and with the lowest dependencies.

    make package            # all tests with the newest, `LOWEST_TESTS` with the lowest direct dependencies
    python benchmarks/package.py --quick

The lowest are found by uv. With the newest goes the torch that is installed here, as it is by far the largest download.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
LOWEST_TESTS = [
    "test_architecture.py",
    "cli/test_cli.py",
    "fields/test_field.py",
    "fitting/test_fitting.py",
    "pipeline/test_pipeline.py",
    "shapes/formats/test_images.py",
    "shapes/formats/test_meshes.py",
    "shapes/formats/test_voxels.py",
    "shapes/test_discovery.py",
    "shapes/test_images.py",
    "shapes/test_meshes.py",
    "shapes/test_samples.py",
    "shapes/test_stairs.py",
    "shapes/test_transforms.py",
    "shapes/test_voxels.py",
    "tokenizers/test_weight_tokenizers.py",
]
NEWEST_QUICK = ["test_architecture.py", "cli/test_cli.py", "pipeline/test_export.py", "runtime/test_plugins.py"]
MODULES = ["nfgen/tokenizers/base.py", "nfgen/models/gpt.py", "nfgen/cli/main.py", "nfgen/py.typed",
           "nfgen/report/templates/page.html", "nfgen/viz/templates/plot.svg"]  # fmt: skip


def run(*words: object, cwd: Path = ROOT) -> None:
    """Run a command, and end everything with its status if it fails."""
    click.echo("$ " + " ".join(map(str, words)))
    done = subprocess.run([str(word) for word in words], cwd=cwd)
    if done.returncode:
        sys.exit(done.returncode)


def build(dist: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built *from* it, as an installer would."""
    run(sys.executable, "-m", "build", "--outdir", dist)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in MODULES if name not in names]
    if missing:
        sys.exit(f"the wheel lacks {', '.join(missing)}")
    return sdist, wheel


def test(wheel: Path, sdist: Path, resolution: str, tests: list[str], extras: str, folder: Path) -> None:
    """Install the wheel into a new environment and run the sdist's tests away from any source."""
    place = folder / resolution
    place.mkdir()
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    (source,) = place.iterdir()
    # The package's own source must not be found: only what the wheel installed.
    for name in ("nfgen", "tokenizers", "models", "cli"):
        shutil.rmtree(source / name, ignore_errors=True)
    python = place / "venv" / "bin" / "python"
    if resolution == "highest":
        run(sys.executable, "-m", "venv", place / "venv")
        held = place / "constraints.txt"
        held.write_text(f"torch=={version('torch')}\n")
        run(python, "-m", "pip", "install", "--quiet", "--constraint", held, f"{wheel}[{extras}]")
    else:
        uv = [sys.executable, "-m", "uv"]
        run(*uv, "venv", "--python", sys.executable, place / "venv")
        run(*uv, "pip", "install", "--python", python, "--resolution", resolution, f"{wheel}[{extras}]")
    run(python, "-m", "pytest", "-q", *[source / "tests" / name for name in tests], cwd=place)


@click.command()
@click.option("--quick", is_flag=True, help="A few test files instead of all.")
@click.option("--only", type=click.Choice(["highest", "lowest-direct"]), help="Only one of the two environments.")
def main(quick: bool, only: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = build(folder / "dist")
        if only != "lowest-direct":
            test(wheel, sdist, "highest", NEWEST_QUICK if quick else [""], "dev", folder)
        if only != "highest":
            test(wheel, sdist, "lowest-direct", LOWEST_TESTS, "formats,test", folder)
        (ROOT / "dist").mkdir(exist_ok=True)
        for file in (sdist, wheel):
            shutil.copy(file, ROOT / "dist")
    click.echo("wheel and sdist are in dist/")


if __name__ == "__main__":
    main()
