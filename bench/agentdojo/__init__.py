"""AgentDojo (arXiv 2406.13352), version 1.2.2 of its suites, without a model: the model is a script, and the worst one.

It does what the user's task needs, call by call. From the moment that a tool result shows it anything an attacker wrote
it also tries, after every step and to the end, all that the attacker wants. The person who is asked approves what the
user's own task needs and refuses the rest. What is measured is therefore the gate alone: how many attacks succeed, how
many of the user's tasks are done, and how often a person is asked for it.

    python -m bench.agentdojo        sets up an environment of its own, runs all gates, writes the table
"""
