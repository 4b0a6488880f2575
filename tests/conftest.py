"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# What one run of the suite finds, another must find as well: a law that fails now and then stops whoever happens to run
# it. Other examples are tried on wish, and what they find becomes an example of its own.
# How fast examples are made is a timing, and so none of a test's business; the time-out of pytest bounds it.
SLOW = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, print_blob=True, deadline=None, suppress_health_check=SLOW)
settings.register_profile("other", print_blob=True, deadline=None, suppress_health_check=SLOW)
settings.load_profile("other" if "ISTHMUS_EXPLORE" in os.environ else "same")
