"""Passwords that anyone would try first, known by how they are made: a favourite word, name or
team with a few digits or signs around it, a walk over the keyboard, one thing repeated, a date.

A list of the 3,000 most common ones of eight characters and more is made of hardly anything
else, and the rules catch its neighbours, too: `Passw0rd!7` as well as `password1`.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product
from typing import Final

DIGITS_MIN = 12  # fewer are a date, a telephone number or a walk
DISTINCT_MIN = 4
RUN_MIN = 3

_TEXT: Final = """
aaron abcd abgrtyu access action adidas admin administrator adobe airborne albert alex
alexander alexandra alexis alfredo amanda amber america american anaconda andrea andrew android
angel angela angels animal anthony apollo apple april archie arsenal arthur ashley asshole
august austin avatar azerty babygirl backup badboy badger bailey banana bandit barbara
barcelona barney baseball basketball batman beatles beautiful beaver benjamin bigcock bigdaddy
bigdick bigtits bitch blackie blessed blink blizzard blonde blowjob bluebird bond booboo booger
boston brandon brandy braves brian britney broncos brooklyn brother bubba bubbles buddy bulldog
bullshit buster butter butterfly butthead caitlin calvin camaro cameron campus canada captain
carlos carolina caroline casper celtic changeme charles charlie charlotte cheese chelsea cherry
chester chicago chicken chocolate chris christ christian christina christine christopher
claudia cocacola coffee colombo college compaq computer connor cookie cooper corvette courtney
cowboy cowboys cricket cristina cristiano crystal daddy daisy dakota dallas daniel daniela
danielle david default denise dennis desiree destiny diablo diamond dickhead digital doctor
dolphin dolphins dominic donald dragon dragonball dreams drummer eagles eduardo edward einstein
elephant elizabeth eminem enter estrella eternity europe everton explorer facebook falcon
family fatima felicia fender fernando ferrari fireman fishing florida flower flowers football
forever francis frank freddy freedom friday friend friends fuck fucker fucking fuckme fuckoff
fuckyou gabriel galaxy gandalf garfield gateway gemini general genesis george giants ginger
godzilla goldfish golden golf google gordon grandma green gregory guest guitar gunner hahaha
hammer hannah happy hardcore harley harrypotter heather heaven hello hellokitty helpme hockey
holiday hottie house hunter hunting iceman iloveu iloveyou iloveme iloveher indian infinity
internet inuyasha ironman isabella jackie jackson jaguar jasmine jason jasper jennifer jeremy
jessica jessie jesus johnny johnson jonathan jordan joseph joshua juliana junior justin
justinbieber kawasaki kelly kevin killer kimberly kingdom kitty kittens knight ladybug lakers
laura lauren leonardo letmein liberty liverpool login london lorena lorenzo lottery love loveme
lover lovely loveyou lucky madison maggie magic manchester manutd marina marine mario mark
marlboro marley marseille martin marvin master matrix matthew maverick maxwell melissa member
mercedes merlin mexico michael michelle mickey microsoft midnight miller minecraft mitchell
money monica monkey monster moomoo morgan mother motorola mountain mustang mylove myspace
naruto nascar natalie natasha nathan newyork nicholas nicole nikita nintendo nissan nothing
november october oliver orange pakistan pamela panther panties paradise parker pass passion
passport password passwort patricia patrick peaches peanut pebbles penguin pepper phoenix
playboy player please pokemon police popcorn porsche portugal power precious princesa princess
private program pumpkin purple pussy qwer qwert qwerty qwertz rabbit racing rachel raiders
rainbow ranger rangers rebecca redsox redskins regina remember reset richard robert roberto
rocket rockstar rolltide ronaldo root rosebud runner rush samantha samsung samuel sandra
santiago saturn scooby scooter scorpio scorpion scotland sebastian secret server shadow shannon
shelby sierra silver skater slayer slipknot smokey snickers snoopy snowball soccer socrates
spanky sparky spiderman spirit sporting squirt srilanka star starcraft stargate starwars
steelers stephanie stephen steven student sublime summer sunday sunflower sunshine super
superman superstar suzuki sweet sweetheart swimming sydney system tennis teresa test tester
testing testpass thomas thunder tiffany tiger tinker tokyo toyota travis trinity trouble
trustno tucker turtle twilight underworld undertaker united universal university user usuario
valentina valeria vampire vanessa veronica victor victoria viking vincent virginia voodoo
walter warcraft warrior welcome whatever william williams willow windows winner winston winter
wizard wolverine xavier yamaha yankees yellow yourmom zxcv zaqwsx qazwsx marketmesh mesh
"""
_WORDS: Final = frozenset(_TEXT.split())
_WALKS: Final = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "zaq12wsxcde34rfvbgt56yhn",
    "!@#$%^&*()",
    "147258369",
    "159357",
    "789456123",
)
_STEPS: Final = tuple(walk for each in _WALKS for walk in (each, each[::-1]))
_DISGUISES: Final = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"} | {
    "@": "a",
    "$": "s",
    "!": "i",
    "+": "t",
}
_DISGUISES_MAX = 3  # of the ambiguous kind, so that no text takes long
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def is_common(password: str) -> bool:
    """Whether this is one of those that are tried first."""
    text = unicodedata.normalize("NFKC", password).casefold()
    return (
        len(set(text)) < DISTINCT_MIN
        or (text.isdigit() and len(text) < DIGITS_MIN)
        or _is_repeated(text)
        or _is_walk(text)
        or any(_is_word(each) for each in _undisguised(_AROUND.sub("", text)))
    )


def _is_word(text: str) -> bool:
    half = len(text) // 2
    return text in _WORDS or (text[:half] == text[half:] and text[:half] in _WORDS)


def _is_repeated(text: str) -> bool:
    """`abc1abc1`: something of four characters or fewer, over and over."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 5))


def _is_walk(text: str) -> bool:
    """Nothing but stretches of three keys and more that lie in a row, forth or back."""
    at = 0
    while at < len(text):
        longest = max(_stretch(text, at, walk) for walk in _STEPS)
        if longest < min(RUN_MIN, len(text) - at):
            return False
        at += longest
    return True


def _stretch(text: str, at: int, walk: str) -> int:
    """How many characters of `text` from `at` on lie in a row on this walk."""
    start, length = walk.find(text[at]), 0
    while start >= 0 and text[at : at + length + 1] == walk[start : start + length + 1]:
        length += 1
        if at + length >= len(text) or start + length >= len(walk):
            break
    return length


def _undisguised(text: str) -> list[str]:
    """The word behind `p4$$w0rd`; several where a sign can stand for two letters."""
    if text.count("1") > _DISGUISES_MAX or len(text) > 2 * max(map(len, _WORDS)):
        return [text]
    letters = [_DISGUISES.get(each, each) for each in text]
    return [text, *("".join(each) for each in product(*letters))]
