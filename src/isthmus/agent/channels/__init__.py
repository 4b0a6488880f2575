"""Where people meet the agent by messages: who may speak to it, what they may say, what they are shown. No I/O.

people       who may speak to it, and how others are paired by a code
commands     what is said to isthmus and not to the model
meeting      what is done with a message that comes in
showing      answers and questions as messages
"""
