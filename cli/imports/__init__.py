"""Importing a seller's file: a mapping tells how its columns become listings.

`mapping_file` reads and checks the mapping, `table` reads rows from bytes of any quality,
`rules` and `cells` turn cells into values, `translate` turns a row into a command or a
refusal, `sending` brings commands to the writer, `report` writes down what became of each row.
"""
