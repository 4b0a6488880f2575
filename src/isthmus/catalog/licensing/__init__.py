"""Licences and terms held against what an organisation wants to do."""
