"""`python -m nfgen` is `nfgen`; launchers of several processes take a module by name."""

from nfgen.cli.main import main

if __name__ == "__main__":
    main(prog_name="nfgen")
