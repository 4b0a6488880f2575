"""isthmus beside other personal agents: what each does, as it comes, with a model that obeys whoever asks."""
