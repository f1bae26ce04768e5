"""`python -m lookalike`: the command line, where no script of that name is on the PATH."""

from lookalike.cli import main

if __name__ == "__main__":
    main()
