"""The mapping: its file, its rules, and what they make of cells."""
