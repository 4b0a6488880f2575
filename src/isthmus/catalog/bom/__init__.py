"""The bill of materials: which models isthmus runs or calls, under which licences, and what goes to whom."""
