"""The metrics worked out a second time, in plain and slow Python, from what the field says of them and not from SQL.

Each file takes a `Book` of facts with their versions and says of every partner what is counted as of a moment. Nothing
is fast, nothing is shared with `store` or `judgement`: what both get wrong they get wrong apart.
"""
