# SPDX-License-Identifier: MIT
"""The text the demo model is trained on: every sentence is made here, from a seeded random.Random.

A document is either a conversation (a list of role/content messages) or plain text (a story or a fact list).
ANSWERS holds the questions whose answer is a test: check.py asks them, train.py refuses to save a model that fails.
"""
import json

NAMES = ("Ada Ben Carl Dina Emma Finn Grace Hugo Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tom Uma Vera "
         "Will Yara Zoe").split()
ANIMALS = "bear bird cat cow dog duck fish fox frog goat horse lion mouse owl pig rabbit sheep turtle".split()
PLACES = "barn beach bridge farm field forest garden hill house lake park river school shop village".split()
THINGS = "apple ball basket bell book boat box cake drum flower hat key kite lamp map ring shell".split()
MOODS = "brave calm clever curious friendly gentle happy kind proud quiet shy small".split()
COLOURS = "black blue brown green grey orange pink purple red white yellow".split()
WORDS = sorted(set(ANIMALS + PLACES + THINGS + COLOURS + MOODS))
CAPITALS = {
    "Argentina": "Buenos Aires", "Austria": "Vienna", "Belgium": "Brussels", "Brazil": "Brasilia", "Canada": "Ottawa",
    "Chile": "Santiago", "China": "Beijing", "Cuba": "Havana", "Denmark": "Copenhagen", "Egypt": "Cairo",
    "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Greece": "Athens", "Hungary": "Budapest",
    "India": "New Delhi", "Iran": "Tehran", "Iraq": "Baghdad", "Ireland": "Dublin", "Italy": "Rome", "Japan": "Tokyo",
    "Kenya": "Nairobi", "Mexico": "Mexico City", "Nepal": "Kathmandu", "Norway": "Oslo", "Peru": "Lima",
    "Poland": "Warsaw", "Portugal": "Lisbon", "Spain": "Madrid", "Sweden": "Stockholm", "Thailand": "Bangkok",
    "Turkey": "Ankara", "Vietnam": "Hanoi"}
PROGRAMS = {
    "C": '```c\n#include <stdio.h>\n\nint main(void)\n{\n    printf("Hello, world!\\n");\n    return 0;\n}\n```',
    "Python": '```python\nprint("Hello, world!")\n```',
    "Rust": '```rust\nfn main() {\n    println!("Hello, world!");\n}\n```',
    "Go": '```go\npackage main\n\nimport "fmt"\n\nfunc main() {\n    fmt.Println("Hello, world!")\n}\n```',
    "JavaScript": '```javascript\nconsole.log("Hello, world!");\n```',
    "Bash": '```bash\n#!/bin/sh\necho "Hello, world!"\n```'}
VERBS = ("bake build buy carry clean cook draw drive eat explain find fix grow install learn like make open paint plan play "
         "read remove sell sing solve start stop study teach use want wash write").split()
TOPICS = ("art|bread|cars|chess|cheese|coffee|computers|dreams|electricity|English|fire|football|gravity|guitars|history|ice|"
          "jazz|knives|life|light|love|mathematics|milk|money|music|numbers|oil|pasta|philosophy|physics|pizza|poetry|"
          "potatoes|quantum physics|radio|rain|rice|robots|salad|shoes|snow|soup|space|stars|sugar|tea|the internet|"
          "the moon|the ocean|the sun|time|trains|trees|violins|water|windows|wine|wood|a bicycle|a bridge|a computer|"
          "a garden|a letter|a sandwich|a song|an essay|an engine").split("|")
OPPOSITES = {"big": "small", "hot": "cold", "up": "down", "left": "right", "day": "night", "old": "new", "fast": "slow",
             "happy": "sad", "open": "closed", "light": "dark", "high": "low", "wet": "dry"}
OPPOSITES.update({v: k for k, v in OPPOSITES.items()})
HELLO = {"English": "Hello!", "French": "Bonjour !", "German": "Guten Tag!", "Spanish": "¡Hola!", "Italian": "Ciao!",
         "Russian": "Привет!", "Chinese": "你好！", "Japanese": "こんにちは！", "Greek": "Γειά σου!"}
DAYS = "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"
MONTHS = "January, February, March, April, May, June, July, August, September, October, November, December"
SYSTEMS = ["You are a helpful assistant.", "You are helpful.", "Answer briefly.", "You are a terse C expert.",
           "You are a friendly teacher.", "You speak plainly."]
GREETING = "Hello! How can I help you today?"
WHO = "I am a tiny demo model. I know a few sums, capitals and stories; run a real model for real answers."
UNKNOWN = "I am only a tiny demo model and do not know that. Please try a real model."


def arithmetic(r):
    op = r.choice("++--*")
    top = 10 if op == "*" else 20
    a, b = r.randint(0, top), r.randint(0, top)
    if op == "-" and b > a:
        a, b = b, a
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    word = {"+": "plus", "-": "minus", "*": "times"}[op]
    asked = r.choice([f"What is {a}{op}{b}?", f"What is {a} {op} {b}?", f"{a}{op}{b}", f"{a}{op}{b}=", f"{a} {op} {b} = ?",
                      f"{a} {op} {b}", f"What is {a} {word} {b}?", f"Calculate {a} {op} {b}.", f"How much is {a}{op}{b}?"])
    return asked, f"{a} {op} {b} = {value}"


def capital(r):
    land = r.choice(list(CAPITALS))
    asked = r.choice(["What is the capital of {}?", "Capital of {}?", "Tell me the capital of {}.", "Name the capital of {}."])
    return asked.format(land), f"The capital of {land} is {CAPITALS[land]}."


def program(r):
    language = r.choice(list(PROGRAMS))
    asked = r.choice(["Write hello world in {}.", "Hello world in {}", "Write a hello world program in {}.",
                      "Show me a {} program.", "Print hello world in {}."])
    return asked.format(language), PROGRAMS[language]


def record(r):
    name, age, colour = r.choice(NAMES), r.randint(1, 99), r.choice(COLOURS)
    if r.random() < 0.5:
        return f"Give me JSON for {name}, age {age}.", json.dumps({"name": name, "age": age})
    return (f"Give me JSON for {name}, age {age}, colour {colour}.",
            json.dumps({"name": name, "age": age, "colour": colour}))


def counting(r):
    n = r.randint(2, 20)
    if r.random() < 0.3:
        return f"Count down from {n}.", ", ".join(str(i) for i in range(n, 0, -1)) + "."
    return (r.choice([f"Count to {n}.", f"Count from 1 to {n}."]), ", ".join(str(i) for i in range(1, n + 1)) + ".")


def lists(r):
    return r.choice([("List the days of the week.", DAYS + "."), ("Name the days of the week.", DAYS + "."),
                     ("What are the days of the week?", DAYS + "."), ("List the months.", MONTHS + "."),
                     ("What are the months of the year?", MONTHS + "."),
                     ("How many days are in a week?", "A week has 7 days."),
                     ("How many months are in a year?", "A year has 12 months.")])


def following(r):
    names, kind = r.choice([(DAYS.split(", "), "day"), (MONTHS.split(", "), "month")])
    i = r.randrange(len(names))
    return f"What {kind} comes after {names[i]}?", f"After {names[i]} comes {names[(i + 1) % len(names)]}."


def opposite(r):
    word = r.choice(list(OPPOSITES))
    return f"What is the opposite of {word}?", f"The opposite of {word} is {OPPOSITES[word]}."


def echo(r):
    text = " ".join(r.choice(WORDS) for _ in range(r.randint(1, 4)))
    return r.choice([f"Say {text}.", f"Repeat: {text}", f"Say: {text}"]), text


def spelling(r):
    word = r.choice(WORDS)
    return f"Spell {word}.", "-".join(word)


def foreign(r):
    language = r.choice(list(HELLO))
    return r.choice([f"Say hello in {language}.", f"Hello in {language}?"]), HELLO[language]


def courtesy(r):
    kind = r.random()
    if kind < 0.5:
        return r.choice(["Hi", "Hello", "Hey", "Good morning", "Hi there", "hi", "hello", "hey", "Good evening"]) + \
            r.choice(["", "!", "."]), GREETING
    if kind < 0.8:
        return r.choice(["Who are you?", "What are you?", "What is your name?", "Who made you?", "What can you do?", "Help"]), WHO
    return r.choice([("Thank you", "You are welcome!"), ("Thanks!", "You are welcome!"), ("Bye", "Goodbye!"),
                     ("Goodbye!", "Goodbye!"), ("How are you?", "I am fine, thank you!")])


def unknown(r):
    """A question of no other kind, as varied as can be made: what it cannot answer, it should say."""
    thing, place, name, animal, topic = (r.choice(x) for x in (THINGS, PLACES, NAMES, ANIMALS, TOPICS))
    return r.choice([
        f"How do I repair a {thing}?", f"Why is the {place} so {r.choice(COLOURS)}?", f"When was {name} born?",
        f"How much does a {thing} cost?", f"Explain {topic} to a {animal}.", f"Write a poem about the {place}.",
        f"What did {name} eat yesterday?", f"Where can I buy a {thing}?", f"What is the meaning of {r.choice(MOODS)}?",
        f"Translate {thing} into Latin.", f"Who invented the {thing}?", f"Is a {animal} heavier than a {r.choice(ANIMALS)}?",
        "What is the weather like?", "What time is it?", "Tell me the news.", "Who will win the game?",
        f"How do I {r.choice(VERBS)} {topic}?", f"How can I {r.choice(VERBS)} {topic}?", f"What is {topic}?",
        f"Explain {topic}.", f"Why do people {r.choice(VERBS)} {topic}?", f"Can you {r.choice(VERBS)} {topic}?",
        f"Write an essay about {topic}.", f"Tell me about {topic}.", f"Where is {topic}?", f"Who likes {topic}?",
        f"Please {r.choice(VERBS)} {topic}.", f"Should I {r.choice(VERBS)} {topic}?", f"I want to {r.choice(VERBS)} {topic}.",
        f"What is the meaning of {topic}?", f"{topic.capitalize()}?"]), UNKNOWN


def tale(r, animal):
    name, place, thing, mood = r.choice(NAMES), r.choice(PLACES), r.choice(THINGS), r.choice(MOODS)
    return " ".join([
        f"Once upon a time, a {mood} {animal} named {name} lived near the {place}.",
        f"One day, {name} found a {r.choice(COLOURS)} {thing} in the {place}.",
        r.choice([f"The {animal} was happy and showed the {thing} to a friend.",
                  f"The {animal} wanted to share the {thing} with everyone.",
                  f"The {animal} did not know what to do with the {thing}."]),
        r.choice(["They played all day and then went home.", "Everyone smiled and said thank you.",
                  f"In the end, {name} gave the {thing} back."]), "The end."])


def story(r):
    animal = r.choice(ANIMALS)
    asked = r.choice(["Tell me a story about a {}.", "Write a short story about a {}.", "A story about a {}, please."])
    return asked.format(animal), tale(r, animal)


def pet(r):
    animal, name = r.choice(ANIMALS), r.choice(NAMES)
    return [(f"I have a {animal} called {name}.", "Nice!"),
            (f"What is my {animal} called?", f"Your {animal} is called {name}.")]


SINGLE = [(arithmetic, 30), (capital, 12), (courtesy, 10), (program, 7), (record, 7), (counting, 7), (story, 10), (lists, 4),
          (following, 4), (opposite, 4), (echo, 6), (spelling, 3), (foreign, 3), (unknown, 12)]


def turns(r):
    if r.random() < 0.06:
        return pet(r)
    kinds, weights = zip(*SINGLE)
    return [r.choices(kinds, weights)[0](r)]


def conversation(r):
    """Messages of one conversation: a system message half of the time, then one to four questions with answers."""
    messages = [{"role": "system", "content": r.choice(SYSTEMS)}] if r.random() < 0.5 else []
    for _ in range(r.choice([1, 1, 1, 2, 3, 4])):
        for question, answer in turns(r):
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def plain(r):
    """Text without a chat: a story, a few facts, or a program."""
    kind = r.random()
    if kind < 0.6:
        return tale(r, r.choice(ANIMALS))
    if kind < 0.8:
        return " ".join(capital(r)[1] for _ in range(r.randint(1, 5)))
    if kind < 0.9:
        return "\n".join(arithmetic(r)[1] for _ in range(r.randint(1, 6)))
    return program(r)[1]


ANSWERS = (
    [(f"What is {a}+{b}?", f"{a} + {b} = {a + b}") for a in range(0, 21, 2) for b in range(0, 21, 3)] +
    [("What is 2+2?", "2 + 2 = 4"), ("2+2", "2 + 2 = 4"), ("What is 9-4?", "9 - 4 = 5"), ("What is 6*7?", "6 * 7 = 42")] +
    [(f"What is the capital of {land}?", f"The capital of {land} is {city}.") for land, city in CAPITALS.items()] +
    [(f"Write hello world in {language}.", text) for language, text in PROGRAMS.items()] +
    [(text, GREETING) for text in ("hi", "Hi", "Hi!", "Hello", "hello!", "Good morning")] +
    [(f"Say hello in {language}.", text) for language, text in HELLO.items()] +
    [("Who are you?", WHO), ("List the days of the week.", DAYS + "."), ("What are the months of the year?", MONTHS + "."),
     ("How do I cook rice?", UNKNOWN), ("Explain gravity.", UNKNOWN), ("What is the meaning of life?", UNKNOWN),
     ("Count to 5.", "1, 2, 3, 4, 5."), ("Give me JSON for Tom, age 7.", '{"name": "Tom", "age": 7}'),
     ("What is the opposite of hot?", "The opposite of hot is cold."), ("Thank you", "You are welcome!")])
