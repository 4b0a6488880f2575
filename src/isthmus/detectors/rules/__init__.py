"""One file for each sort of thing that has a form. What a file declares is told in `detectors/registry.py`."""
