"""An effort is a configuration of each verb, and the command that is said of each makes the same."""

from typing import Any

import pytest
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.pipeline.config import MakeConfig
from nfgen.workflow.efforts import EFFORTS, verbs_of

WORDS = {"fit": ["SHAPES"], "tokenize": ["FIELDS"], "train": ["TOKENS"], "generate": ["RUN"],
         "evaluate": ["SAMPLES", "--reference", "SHAPES"]}  # fmt: skip

MORE = {"minutes": 4.5, "seed": 3, "reading": {"up": "y", "shell": 0.02}, "format": "obj"}


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("verb", WORDS)
@pytest.mark.parametrize(
    "more", [{}, {"minutes": 4.5, "seed": 3, "reading": {"up": "y", "shell": 0.02}, "format": "obj"}]
)
def test_the_command_of_a_step_has_its_settings(
    effort: str, verb: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = getattr(verbs_of(MakeConfig().with_settings({"effort": effort} | more)), verb)
    seen: list[Any] = []
    monkeypatch.setattr(main.commands[verb], "callback", lambda **given: seen.append(given["config"]))
    done = CliRunner().invoke(main, [verb, *WORDS[verb], *config.as_options(), "-o", "OUT"])
    assert done.exit_code == 0, done.output
    assert seen == [config]
