"""`python -m diagnoser`: the command line."""

from diagnoser.cli.app import main

if __name__ == "__main__":
    main()
