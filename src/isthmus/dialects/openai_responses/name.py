"""The name of the dialect, by which its extra fields are tagged."""

NAME = "openai-responses"
