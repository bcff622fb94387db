"""`python -m shelfwise` is the command `shelfwise`."""

from shelfwise.cli import main

if __name__ == "__main__":
    main(prog_name="shelfwise")
