"""What model files contain, read without running any of it.

Every reader here takes foreign bytes: none of them unpickles, imports or executes anything, none raises on whatever it
is given, and each stops at a bound. What cannot be read to its end is a fault, never a pass.
"""
