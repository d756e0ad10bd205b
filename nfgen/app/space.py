"""A Hugging Face Space that serves the app: the run, this version of nfgen, and what it needs, in one folder."""

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import nfgen
from nfgen.errors import ConfigError
from nfgen.io import artifact, hub
from nfgen.io.model_card import front_matter
from nfgen.pipeline.run import Run
from nfgen.runtime.provenance import made_by

KIND = "space"
RUN = "run"
APP = '''"""Serves the page of a Space; settings are those of `nfgen app`."""

from nfgen.app import serve

serve(["run"], host="0.0.0.0", port=7860, train=False)
'''


def write_space(
    run: str | Path,
    out: str | Path,
    *,
    samples: str | Path | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write the folder of a Space: `app.py`, `requirements.txt`, `README.md`, the run and the code of nfgen.

    Args:
        run: folder of a run.
        samples: of this run, for the picture and the scores of its card; see `Run.save_pretrained`.
        license: identifier of a licence, as `mit`.

    Raises:
        ArtifactError: if there is no such run, or the path is taken.
        ConfigError: if the extra `app` is missing.
    """
    required = requirements()
    with made_by(None), artifact.writing(out, KIND, overwrite=overwrite) as folder:
        Run.load(run).save_pretrained(folder / RUN, samples=samples, license=license)
        package = Path(str(nfgen.__file__)).parent
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        (folder / "app.py").write_text(APP, encoding="utf-8")
        (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in required), encoding="utf-8")
        (folder / "README.md").write_text(_card(Path(out).name, license), encoding="utf-8")
        artifact.write_config(folder, KIND, {})


def push_space(
    run: str | Path,
    repo: str,
    *,
    samples: str | Path | None = None,
    license: str | None = None,
    private: bool = False,
    message: str = "Upload with nfgen",
) -> str:
    """Upload a Space; arguments and errors as in `write_space` and `Run.push_to_hub`.

    Returns:
        The web address of the commit.
    """
    name = repo.rpartition("/")[2]
    with tempfile.TemporaryDirectory() as folder:
        write_space(run, Path(folder) / name, samples=samples, license=license)
        return hub.publish(Path(folder) / name, repo, private=private, message=message, space=True)


def requirements() -> list[str]:
    """What nfgen and its app need, as its own package says; the code itself is in the folder.

    Raises:
        ConfigError: nfgen or Gradio is not installed as a package.
    """
    try:
        version = metadata.version("gradio")
        lines = metadata.requires("nfgen") or []
    except metadata.PackageNotFoundError as error:
        raise ConfigError(f"a Space needs the package {error.name}", "pip install 'nfgen[app]'") from error
    parts = [line.partition(";") for line in lines]
    return [*(name.strip() for name, _, marker in parts if not marker), f"gradio=={version}"]


def _card(name: str, license: str | None) -> str:
    """The README: its head, by which the Hub runs the Space, and what it is."""
    head = {
        "title": name,
        "sdk": "gradio",
        "sdk_version": metadata.version("gradio"),
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "app_file": "app.py",
        "tags": ["nfgen", "neural-fields", "3d"],
    } | ({"license": license} if license else {})
    parts = [
        front_matter(head),
        f"# {name}",
        "Draws new shapes from the run of nfgen in the folder `run`. The code of nfgen is in the folder `nfgen`.",
        "The same page on your own machine: `pip install -r requirements.txt`, then `python -m nfgen app run`.",
    ]
    return "\n\n".join(parts) + "\n"
