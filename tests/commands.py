"""A command of nfgen in the process of the tests, which ends with the status that is expected."""

from click.testing import CliRunner, Result

from nfgen.cli.main import main


def run(*words: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result
