"""Tests of a row: by what stands in one of its columns."""

from __future__ import annotations

from typing import Self

from pydantic import FiniteFloat, field_validator, model_validator

from cli.imports.language.amounts import check_beside, check_plain, read_amount
from cli.imports.language.parts import Cells, Column, NumberForm, Texts
from cli.imports.language.patterns import check_pattern, matches


class Condition(NumberForm):
    """One test of one column."""

    column: Column
    equals: str | None = None
    one_of: Texts | None = None
    matches: str | None = None  # a regular expression, anywhere in the cell
    outside: tuple[FiniteFloat, FiniteFloat] | None = None  # the smallest and largest to take

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = (self.equals, self.one_of, self.matches, self.outside)
        if sum(test is not None for test in tests) != 1:
            message = "exactly one of equals, one_of, matches and outside"
            raise ValueError(message)
        if self.one_of == () or self.matches == "":
            message = "one_of and matches need something to look for"
            raise ValueError(message)
        if self.outside is not None and self.outside[0] > self.outside[1]:
            message = "outside: the smaller number comes first"
            raise ValueError(message)
        return self

    def hits(self, cells: Cells) -> bool:
        """Whether the row meets it. What holds no digit is outside every range; raises
        RefusedError for what does but is no number that can be understood.
        """
        cell = cells[self.column]
        if self.equals is not None:
            return cell == self.equals
        if self.one_of is not None:
            return cell in self.one_of
        if self.matches is not None:
            return matches(self.matches, cell)
        return self._is_outside(cell)

    def _is_outside(self, cell: str) -> bool:
        if not any(each.isdecimal() for each in cell):
            return True
        amount = read_amount(cell, self.notation)
        check_beside(amount, (), cell)
        check_plain(amount, self.notation, cell)
        smallest, largest = self.outside or (0.0, 0.0)
        return not smallest <= amount.value <= largest
