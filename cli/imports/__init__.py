"""Importing a seller's file: a mapping tells how its columns become listings.

`files` reads rows from bytes of any quality, `language` reads and checks the mapping and turns
cells into values, `translate` turns a row into a command or a refusal, `sending` brings commands
to the writer and writes down what became of each row.
"""
