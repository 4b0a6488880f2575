"""Other people's clients and their own test suites, as judges of a running isthmus.

    python -m conformance.run [--suite NAME ...]

Each suite runs in an environment of its own below `.conformance/`, against an isthmus of its own whose offers lead to
strict stand-ins for the vendors. What is skipped is named with its reason; anything else that does not pass fails the
run. The results are `docs/reference/conformance.md`.
"""
