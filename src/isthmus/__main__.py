"""`python -m isthmus` is `isthmus`."""

from isthmus.cli.main import main

main()
