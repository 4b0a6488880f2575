"""Known vulnerabilities and malicious versions of what serves models, as an extract that needs no network.

The extract (`extract.json`) is made from the files that OSV publishes and from records kept by hand
(`by_hand.yaml`), by `python -m isthmus.doctor.advisories`. `NOTICE` says where they come from and under which licence.
"""
