"""`python -m spotzee_logging`: the command line, where its script is not on the path."""

from spotzee_logging.cli import main

if __name__ == "__main__":
    main()
