"""`python -m controller` is the `hadron` command."""
import sys

from rest.cli import main

if __name__ == "__main__":
    sys.exit(main())
