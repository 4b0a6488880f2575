"""What isthmus does when its time comes: reminders and repeated tasks, each of which ends with evidence.

`job` says what a job is, `rhythm` when it is due, `plan` what is done about what was missed, `scheduler` does it,
`ports` is what that needs from outside, and `waking` hands it to the agent or to a channel.
"""
