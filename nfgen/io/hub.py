"""Folders to and from the Hugging Face Hub, by the library of its makers, which is imported only when it is used.

The address of a repository is `hf://owner/name`, or `hf://owner/name@revision`. Another endpoint than the public one
is taken from the environment's `HF_ENDPOINT`, the token from where `hf auth login` leaves it.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nfgen.errors import ArtifactError, ConfigError

from .shipped import here

PREFIX = "hf://"
READ = ["*.json", "*.jsonl", "*.safetensors", "*.png", "*.md"]
"""Patterns of the files that are ever fetched: all that a run has, and nothing that could be code or a pickle."""


def is_address(text: str | Path) -> bool:
    """Whether a text names a repository instead of a path."""
    return str(text).startswith(PREFIX)


def find(name: str | Path, revision: str | None = None) -> Path:
    """The folder of an artifact: a local one if it exists, one that ships with nfgen, or one from the Hub.

    Raises:
        ConfigError: if the library is needed and missing.
        ArtifactError: if there is no such repository, or it cannot be reached.
    """
    if not is_address(name) and here(name).is_dir():
        return here(name)
    return fetch(str(name), revision=revision)


def fetch(address: str, *, revision: str | None = None) -> Path:
    """Download a repository into the Hub library's cache, or find it there.

    Args:
        address: `hf://owner/name`, `owner/name`, either with `@revision`.
        revision: branch, tag or commit; that of the address if not said.

    Returns:
        The folder; it is shared, so only read from it.

    Raises:
        ConfigError: if the library is missing.
        ArtifactError: if there is no such repository, or it cannot be reached.
    """
    repo, _, named = str(address).removeprefix(PREFIX).partition("@")
    hub = _library()
    try:
        return Path(
            hub.snapshot_download(repo, revision=revision or named or None, endpoint=_endpoint(), allow_patterns=READ)
        )
    except hub.errors.RevisionNotFoundError as error:
        raise ArtifactError(f"{PREFIX}{repo} has no revision {revision or named}", "look at its history") from error
    except hub.errors.RepositoryNotFoundError as error:
        raise ArtifactError(
            f"there is no repository {repo} on the Hub, or it is private", "check its name; hf auth login for your own"
        ) from error
    except _failures(hub) as error:
        raise ArtifactError(f"cannot fetch {PREFIX}{repo}: {_line(error)}", "check the address and network") from error


def publish(
    folder: Path, repo: str, *, private: bool = False, message: str = "Upload with nfgen", space: bool = False
) -> str:
    """Upload a folder as a repository in one commit; the repository is made if it is missing.

    Args:
        space: as a Space that runs Gradio, not as a model.

    Returns:
        The commit's web address.

    Raises:
        ConfigError: if the library is missing.
        ArtifactError: if the Hub refuses, or cannot be reached.
    """
    repo = repo.removeprefix(PREFIX)
    hub = _library()
    try:
        api = hub.HfApi(endpoint=_endpoint(), library_name="nfgen")
        kind, sdk = ("space", "gradio") if space else ("model", None)
        api.create_repo(repo, private=private, exist_ok=True, repo_type=kind, space_sdk=sdk)
        done = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message, repo_type=kind)
        return str(done.commit_url)
    except _failures(hub) as error:
        raise ArtifactError(
            f"cannot push to {PREFIX}{repo}: {_line(error)}", "hf auth login with a token that may write, or check it"
        ) from error


def _endpoint() -> str | None:
    # Read here and not left to the library, which looks only when it is imported.
    return os.environ.get("HF_ENDPOINT") or None


def _failures(hub: Any) -> tuple[type[Exception], ...]:
    """Everything that the library raises for a refusal, a bad name or a network that is not there."""
    http = import_module("httpx2" if find_spec("httpx2") else "httpx")
    of_hub = hub.errors.HfHubHTTPError, hub.errors.OfflineModeIsEnabled
    return OSError, RuntimeError, ValueError, *of_hub, http.HTTPError


def _line(error: Exception) -> str:
    """What the Hub says, in one line."""
    said = getattr(error, "server_message", None) or f"{error} {error.__cause__ or ''}"
    return " ".join(said.split())[:200] or type(error).__name__


def _library() -> Any:
    try:
        import_module("huggingface_hub.errors")
        return import_module("huggingface_hub")
    except ImportError as error:
        raise ConfigError("the Hub needs the package huggingface_hub", "pip install 'nfgen[hub]'") from error
