"""Moderation: whether a text is harmful. One vendor's form, which others serve as well."""
