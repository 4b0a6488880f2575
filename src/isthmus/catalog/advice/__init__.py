"""Advice: which side a workload belongs on, for one organisation, from the facts of the catalog and nothing else."""
