"""The monitor: what stands between any model and the world, and decides by code alone what may happen.

The model is taken to be the attacker's from the first byte it reads that somebody else could have written. So nothing
here trusts what a model says; a call is judged by where its values come from (`shelf`, `references`), by what the
user's own words want (`words`, `intents`), by what a person endorsed, and by who may read what it carries (`judging`).

    words        the typed tokens of a sentence: addresses, amounts, dates, quoted text, names
    intents      what the user wants, read from the user's own words and checked against their tokens
    shelf        what the model of a branch was shown, each thing under a short handle
    references   arguments of a call: references resolved, literals marked
    meaning      which things on the shelf the user meant, and so which may go along
    endorsing    who may come to see something, because the user said so
    branches     one conversation of a model with the world; `sides`: side branches that return typed values only
    labels       the labels of what is sent to a model
    policy       the rules, as data
    judging      may this call be made? yes, ask, or no
    approving    a person's answer to a question, made into a grant or endorsements
    explain      a judgement in words; `replay` makes the decisions again from the log

How a loop uses it, call by call::

    intents = rules.read(text, at=now)              # or reading.checked(text, what a model read, at=now)
    branch = Branch(id="main", conversation=conversation)
    call = propose(id, toolset.name, spec, arguments, branch, intents, parties=toolset.parties)   # ToolError: told
    match judge(call, branch, intents, endorsements, policy, now):
        case Allowed(grant):         result = await toolset.run(grant)
        case Ask(approval):          # a person answers, then: answer(approval, answered, call, branch, now)
        case Refused(why, remedies): # told to the model
    branch = branch.acted(call, grant, result, now, recall=...)     # handles of what came back: branch.shelf.shown
"""
