"""What holds for all tests."""

import os

from hypothesis import settings

# What one run of the suite finds, another must find as well: a law that fails now and then stops whoever happens to run
# it. Other examples are tried on wish, and what they find becomes an example of its own.
settings.register_profile("same", derandomize=True, print_blob=True)
settings.load_profile("default" if "ISTHMUS_EXPLORE" in os.environ else "same")
