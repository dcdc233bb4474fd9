"""The recipes a person would name. The command line and the window call these and nothing below them.

Every function takes the project first and a Progress last, returns frozen values, and raises only
ModelkeepError or Cancelled. Whatever is large is planned first: a plan can be shown before it is run.
"""
