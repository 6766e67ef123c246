"""The acceptance points of the statistics, one module each, named by its letter.

Adding one: a file `x_name.py` here that is a `tests.acceptance.figures.Point`. Nothing else has to know of it:
`python -m tests.acceptance X` and the test suite find it.
"""
