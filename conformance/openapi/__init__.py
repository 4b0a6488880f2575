"""isthmus against its own OpenAPI and OpenAI's, by schemathesis."""
